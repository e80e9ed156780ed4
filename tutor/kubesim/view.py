"""Immutable pictures of a simulated cluster: what the workload side (network, names, shells, logs) reads."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Object = Mapping[str, Any]
"""A Kubernetes object as decoded JSON. Never changed once stored: a change stores another one."""

Key = tuple[str, str]
"""(namespace, name); the namespace is empty for kinds that have none."""

TRAFFIC_KINDS = frozenset(
    {"namespaces", "nodes", "pods", "services", "endpointslices", "networkpolicies", "configmaps"}
)
"""Plurals whose changes can change what a packet does or what a workload is."""


@dataclass(frozen=True)
class View:
    """One cluster at one moment.

    :param objects: plural -> (namespace, name) -> object.
    :param revision: the cluster's resourceVersion.
    :param at: when this state began, UTC.
    """

    objects: Mapping[str, Mapping[Key, Object]]
    revision: int
    at: datetime
    cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What readers compute once for this state (the compiled policies, for one)."""

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object, or None."""
        return self.objects.get(plural, {}).get((namespace, name))

    def list(self, plural: str, namespace: str | None = None) -> list[Object]:
        """All objects of a kind, of one namespace or of all, in the order they were made."""
        return [o for (ns, _), o in self.objects.get(plural, {}).items() if namespace is None or ns == namespace]


@dataclass(frozen=True)
class History:
    """The states of a cluster over time, oldest first; only changes that matter to traffic make a new one."""

    epochs: Sequence[View]

    def index(self, moment: datetime) -> int:
        """Which epoch was in force at a moment; the first one for anything earlier."""
        return max(0, bisect_right([e.at for e in self.epochs], moment) - 1)

    def at(self, moment: datetime) -> View:
        """The state in force at a moment."""
        return self.epochs[self.index(moment)]
