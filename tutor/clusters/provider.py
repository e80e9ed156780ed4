"""The one interface to every kind of cluster. The lab boundary is the Kubernetes API: a provider hands out an
:class:`Access`, and neither the learner's kubectl nor the verifier knows which kind of cluster answers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import yaml


class Role(StrEnum):
    """Who holds a credential. The two are different credentials wherever the cluster can tell them apart."""

    LEARNER = "learner"
    VERIFIER = "verifier"


class ClusterState(StrEnum):
    """What a provider knows of a cluster now."""

    ABSENT = "absent"
    CREATING = "creating"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Availability:
    """Whether a provider can run here; if not, why and what to do."""

    ok: bool
    reason: str = ""
    cure: str = ""


@dataclass(frozen=True)
class ClusterSpec:
    """What a lab asks for.

    :param lab_id: id of the lab session; creating twice with one id makes one cluster.
    :param namespaces: the namespaces the lab will own.
    """

    lab_id: str
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Handle:
    """Finds a cluster again after a restart. ``data`` is JSON-able and holds no secret in clear beyond what the provider needs."""

    provider: str
    lab_id: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """How to reach a cluster's API.

    :param server: https URL, may carry a path prefix.
    :param ca_pem: certificate authority, PEM.
    :param token: bearer token, or empty when a client certificate is used.
    """

    server: str
    ca_pem: str
    token: str = field(default="", repr=False)
    client_cert_pem: str = field(default="", repr=False)
    client_key_pem: str = field(default="", repr=False)

    def kubeconfig(self, *, namespace: str, context: str = "kubetutor") -> str:
        """A kubeconfig file (YAML text) with this access as its only context."""
        import base64

        def b64(pem: str) -> str:
            return base64.b64encode(pem.encode()).decode()

        user: dict[str, str] = {}
        if self.token:
            user["token"] = self.token
        if self.client_cert_pem:
            user |= {"client-certificate-data": b64(self.client_cert_pem), "client-key-data": b64(self.client_key_pem)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": context, "cluster": {"server": self.server, "certificate-authority-data": b64(self.ca_pem)}}
            ],
            "users": [{"name": context, "user": user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context, "namespace": namespace}}],
            "current-context": context,
        }
        return yaml.safe_dump(config, sort_keys=False)


class Provider(Protocol):
    """A kind of cluster. Every method may be called again after a crash."""

    name: str

    def available(self) -> Availability:
        """Whether it can run here; never raises."""
        ...

    def create(self, spec: ClusterSpec) -> Handle:
        """Make the cluster and wait until its API answers; idempotent by ``spec.lab_id``.

        :raises ProvisionError: it cannot be made.
        """
        ...

    def state(self, handle: Handle) -> ClusterState:
        """What there is now; never raises for a cluster that is gone."""
        ...

    def access(self, handle: Handle, role: Role) -> Access:
        """A credential for one role.

        :raises NotFound: the cluster is gone.
        """
        ...

    def delete(self, handle: Handle) -> None:
        """Remove what :meth:`create` made and nothing else; idempotent."""
        ...

    def owned(self) -> Iterable[Handle]:
        """Every cluster of ours that exists, found without the database (for the reaper)."""
        ...


@runtime_checkable
class BulkProvider(Protocol):
    """A provider whose clusters are made in milliseconds: it takes a lab's objects at once, and a reset makes a new cluster."""

    def apply_bulk(self, handle: Handle, objects: Sequence[Mapping[str, Any]]) -> None:
        """Write many objects, in order. When it returns, the workloads among them run.

        :raises ProvisionError: one was refused.
        """
        ...
