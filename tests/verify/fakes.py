"""Clusters and pods that misbehave on purpose, each under a name that says how."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tutor.clusters.api import ApiUnreachable
from tutor.verify.probe import Exec
from tutor.verify.world import Object

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RESOLV_CONF = "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"


def pod(name: str, namespace: str = "shop", ip: str = "10.244.0.5", **more: Any) -> dict[str, Any]:
    """A ready pod."""
    status = {"podIP": ip, "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "creationTimestamp": "2026-01-01T12:00:00Z"}
    spec = {"containers": [{"name": "main", "ports": [{"containerPort": 8080}]}]}
    return {"metadata": meta | more.pop("metadata", {}), "spec": spec | more.pop("spec", {}), "status": status}


class SilentProber:
    """Its exec succeeds and says nothing, as a pod without a shell may."""

    def __call__(self, pod: Object, argv: list[str]) -> tuple[int, str]:
        return 0, RESOLV_CONF if argv[0] == "cat" else ""


class DyingPod:
    """One pod's exec breaks off; the others answer as they are."""

    def __init__(self, inner: Exec, prefix: str) -> None:
        self.inner, self.prefix = inner, prefix

    def __call__(self, pod: Object, argv: list[str]) -> tuple[int, str]:
        if pod["metadata"]["name"].startswith(self.prefix) and argv[0] == "sh":
            raise ConnectionResetError("connection reset by peer")
        return self.inner(pod, argv)


class EverythingTimesOut:
    """A cluster whose network is dead: no probe of anybody arrives, not even at its own address."""

    def __call__(self, pod: Object, argv: list[str]) -> tuple[int, str]:
        if argv[0] == "cat":
            return 0, RESOLV_CONF
        return 0, "".join(f"@{i} 143 |\n" for i in range(argv[2].count("timeout ")))


class NonEnforcingCluster:
    """A network plug-in that stores policies and lets everything through."""

    def __call__(self, pod: Object, argv: list[str]) -> tuple[int, str]:
        return 0, "".join(f"@{i} 0 |\n" for i in range(argv[2].count("timeout ")))


class LatePolicy:
    """Enforcement that takes a few rounds: until then every connection is as it was before the change, open."""

    def __init__(self, inner: Exec, rounds: int) -> None:
        self.inner, self.rounds, self.asked = inner, rounds, dict[str, int]()

    def __call__(self, pod: Object, argv: list[str]) -> tuple[int, str]:
        if argv[0] != "sh":
            return self.inner(pod, argv)
        uid = pod["metadata"]["uid"]
        self.asked[uid] = self.asked.get(uid, 0) + 1
        code, text = self.inner(pod, argv)
        if self.asked[uid] <= self.rounds:
            text = re.sub(r"^(@\d+) 143 .*$", r"\1 0 |", text, flags=re.M)
        return code, text


class CountingExec:
    """Counts the scripts it runs in each pod."""

    def __init__(self, inner: Exec) -> None:
        self.inner, self.rounds = inner, dict[str, int]()

    def __call__(self, pod: Object, argv: list[str]) -> tuple[int, str]:
        if argv[0] == "sh":
            name = str(pod["metadata"]["name"])
            self.rounds[name] = self.rounds.get(name, 0) + 1
        return self.inner(pod, argv)


class FlakyApi:
    """An API that fails so many times before it answers."""

    def __init__(self, failures: int, lists: Mapping[str, list[Any]] | None = None) -> None:
        self.failures, self.lists, self.asked = failures, lists or {}, 0

    def list(self, path: str, **_query: str) -> dict[str, Any]:
        self.asked += 1
        if self.asked <= self.failures:
            raise ApiUnreachable("The cluster's API does not answer: connection refused")
        return {"items": self.lists.get(path.rpartition("/")[2], [])}


def says(text: str) -> Callable[[Object, list[str]], tuple[int, str]]:
    """An exec that always gives this output."""
    return lambda _pod, _argv: (0, text)
