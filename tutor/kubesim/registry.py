"""The kinds the simulated API serves, one line each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One kind: how it is named, where it lives, what can be done with it."""

    group: str
    plural: str
    kind: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    version: str = "v1"

    @property
    def api_version(self) -> str:
        """``apps/v1``; core kinds are plain ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        """The path of its group and version, without a leading slash."""
        return f"apis/{self.group}/{self.version}" if self.group else f"api/{self.version}"

    @property
    def singular(self) -> str:
        """Lower-case kind."""
        return self.kind.lower()


VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

RESOURCES = (
    Resource("", "namespaces", "Namespace", ("ns",), namespaced=False, subresources=("status",)),
    Resource("", "nodes", "Node", ("no",), namespaced=False, subresources=("status",)),
    Resource(
        "", "pods", "Pod", ("po",), categories=("all",), subresources=("status", "log", "exec", "attach", "portforward")
    ),
    Resource("", "services", "Service", ("svc",), categories=("all",), subresources=("status",)),
    Resource("", "configmaps", "ConfigMap", ("cm",)),
    Resource("", "secrets", "Secret"),
    Resource("", "serviceaccounts", "ServiceAccount", ("sa",), subresources=("token",)),
    Resource("", "events", "Event", ("ev",)),
    Resource("apps", "deployments", "Deployment", ("deploy",), categories=("all",), subresources=("status", "scale")),
    Resource("apps", "replicasets", "ReplicaSet", ("rs",), categories=("all",), subresources=("status", "scale")),
    Resource("discovery.k8s.io", "endpointslices", "EndpointSlice"),
    Resource("networking.k8s.io", "networkpolicies", "NetworkPolicy", ("netpol",)),
)

BY_PLURAL = {r.plural: r for r in RESOURCES}
BY_PATH = {(r.group, r.version, r.plural): r for r in RESOURCES}
GROUPS = tuple(dict.fromkeys(r.group for r in RESOURCES if r.group))

REVIEWS = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authorization.k8s.io", "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    ("authentication.k8s.io", "selfsubjectreviews"): "SelfSubjectReview",
}
"""Kinds that are only asked, never stored: (group, plural) -> kind."""


def find(group: str, version: str, plural: str) -> Resource | None:
    """The resource at a path, or None."""
    return BY_PATH.get((group, version, plural))


def of_object(api_version: str, kind: str) -> Resource | None:
    """The resource an object belongs to by its own apiVersion and kind."""
    return next((r for r in RESOURCES if r.api_version == api_version and r.kind == kind), None)
