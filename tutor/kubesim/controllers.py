"""What a cluster does by itself. Everything happens inside the transaction that caused it, so that a Deployment's pods are
ready when its create is answered.
"""

from __future__ import annotations

from typing import Any

from tutor.kubesim import networking, pods, workloads
from tutor.kubesim.cluster import Transaction
from tutor.kubesim.relations import owned
from tutor.kubesim.view import Object

_OWNED = (
    "replicasets",
    "pods",
    "endpointslices",
    "configmaps",
    "secrets",
    "services",
    "networkpolicies",
    "deployments",
)


def settle(t: Transaction) -> None:
    """Run every controller on what changed, until nothing changes any more."""
    while t.settled < len(t.changes):
        change = t.changes[t.settled]
        t.settled += 1
        controller = _CONTROLLERS.get(change.plural)
        if controller is not None:
            controller(t, change.namespace, change.name, change.before, change.after)
        if change.after is None and change.before is not None:
            _collect(t, change.before)


def _collect(t: Transaction, gone: Object) -> None:
    """Garbage collection: what a deleted owner owned goes too, unless another owner of it is left."""
    namespace = gone["metadata"].get("namespace", "")
    for plural in _OWNED:
        for obj in list(t.list(plural, namespace or None)):
            if not owned(obj, gone):
                continue
            left = [r for r in obj["metadata"]["ownerReferences"] if r.get("uid") != gone["metadata"]["uid"]]
            if left:
                t.put(plural, {**obj, "metadata": {**obj["metadata"], "ownerReferences": left}})
            else:
                t.delete(plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _namespace(t: Transaction, _ns: str, name: str, _before: Object | None, after: Object | None) -> None:
    if after is None:
        for plural in {*t.cluster.objects, *(c.plural for c in t.changes)}:
            for obj in list(t.list(plural, name)):
                t.delete(plural, name, obj["metadata"]["name"])
        return
    _ensure(t, name)


def _ensure(t: Transaction, namespace: str) -> None:
    """What every namespace has."""
    if t.get("namespaces", "", namespace) is None:
        return
    for plural, kind, name in (
        ("serviceaccounts", "ServiceAccount", "default"),
        ("configmaps", "ConfigMap", "kube-root-ca.crt"),
    ):
        if t.get(plural, namespace, name) is None:
            made: dict[str, Any] = {
                "apiVersion": "v1",
                "kind": kind,
                "metadata": {"name": name, "namespace": namespace},
            }
            t.put(plural, made | ({"data": {}} if plural == "configmaps" else {}))


def _account(t: Transaction, ns: str, _name: str, _before: Object | None, after: Object | None) -> None:
    if after is None:
        _ensure(t, ns)


_CONTROLLERS = {
    "namespaces": _namespace,
    "serviceaccounts": _account,
    "configmaps": _account,
    "deployments": workloads.deployment,
    "replicasets": workloads.replicaset,
    "pods": pods.pod,
    "services": networking.service,
    "endpointslices": networking.endpoint_slice,
}
