"""Deployments make replica sets, replica sets make pods; their status says how far they are."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from tutor.kubesim.cluster import Transaction, stamp
from tutor.kubesim.events import record
from tutor.kubesim.relations import controller_of, is_ready, owned, owner_reference, suffix
from tutor.kubesim.selecting import LabelSelector
from tutor.kubesim.status import ApiError
from tutor.kubesim.view import Object

_MAX_REPLICAS = 100
_REVISION = "deployment.kubernetes.io/revision"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_HASH = "pod-template-hash"


# -- deployments --------------------------------------------------------------------------------------


def deployment(t: Transaction, ns: str, name: str, _before: Object | None, after: Object | None) -> None:
    """Controller of deployments. A rollout is over in the write that starts it: old pods go as the new ones come."""
    found = t.get("deployments", ns, name)
    if after is None or found is None:
        return
    template, replicas = found["spec"]["template"], found["spec"].get("replicas", 1)
    meta = template.get("metadata") or {}
    identity = {**template, "metadata": {k: meta.get(k) for k in ("labels", "annotations")}}
    hashed = suffix(json.dumps(identity, sort_keys=True), 10)
    sets = [r for r in t.list("replicasets", ns) if owned(r, found)]
    current = next((r for r in sets if (r["metadata"].get("labels") or {}).get(_HASH) == hashed), None)
    if found["spec"].get("paused") and current is None:
        current = max(sets, key=_revision, default=None)  # a paused deployment is scaled, not rolled out
        if current is None:
            _deployment_status(t, ns, name)
            return
    revision = max((_revision(r) for r in sets if r is not current), default=0) + 1
    if current is None:
        t.put("replicasets", _new_set(found, hashed, replicas, revision))
        _scaled(t, found, f"{name}-{hashed}", 0, replicas)
    else:
        _use(t, found, current, replicas, max(revision, _revision(current)))
    for old in sets:
        if old is not current and old["spec"].get("replicas"):
            _scaled(t, found, old["metadata"]["name"], old["spec"]["replicas"], 0)
            t.put("replicasets", {**old, "metadata": dict(old["metadata"]), "spec": {**old["spec"], "replicas": 0}})
    idle = sorted((r for r in sets if r is not current), key=_revision)
    for old in idle[: max(0, len(idle) - found["spec"].get("revisionHistoryLimit", 10))]:
        t.delete("replicasets", ns, old["metadata"]["name"])
    _deployment_status(t, ns, name)


def _use(t: Transaction, owner: Object, current: Object, replicas: int, revision: int) -> None:
    """Make a set that exists the current one (it may be the one a rollback goes to)."""
    was = current["spec"].get("replicas", 0)
    if was != replicas:
        _scaled(t, owner, current["metadata"]["name"], was, replicas)
    annotations = dict(current["metadata"].get("annotations") or {}) | {
        _REVISION: str(revision),
        _DESIRED: str(replicas),
    }
    meta = {**current["metadata"], "annotations": annotations}
    t.put("replicasets", {**current, "metadata": meta, "spec": {**current["spec"], "replicas": replicas}})


def _scaled(t: Transaction, owner: Object, name: str, was: int, replicas: int) -> None:
    word = "up" if replicas > was else "down"
    text = f"Scaled {word} replica set {name} from {was} to {replicas}"
    record(t, owner, "ScalingReplicaSet", text, "deployment-controller")


def _revision(rs: Object) -> int:
    text = (rs["metadata"].get("annotations") or {}).get(_REVISION, "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _new_set(owner: Object, hashed: str, replicas: int, revision: int) -> dict[str, Any]:
    template = copy.deepcopy(owner["spec"]["template"])
    labels = dict(template["metadata"].get("labels") or {}) | {_HASH: hashed}
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(owner["spec"]["selector"])
    selector.setdefault("matchLabels", {})[_HASH] = hashed
    kept = {
        k: v
        for k, v in (owner["metadata"].get("annotations") or {}).items()
        if not k.startswith("kubectl.kubernetes.io/last-")
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{owner['metadata']['name']}-{hashed}",
            "namespace": owner["metadata"]["namespace"],
            "labels": dict(labels),
            "annotations": kept | {_REVISION: str(revision), _DESIRED: str(replicas)},
            "ownerReferences": [owner_reference(owner)],
            "generation": 1,
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
        "status": {"replicas": 0},
    }


def _deployment_status(t: Transaction, ns: str, name: str) -> None:
    found = t.get("deployments", ns, name)
    if found is None:
        return
    sets = [r for r in t.list("replicasets", ns) if owned(r, found)]
    newest = max(sets, key=_revision, default=None)
    total = sum(r["status"].get("replicas", 0) for r in sets)
    ready = sum(r["status"].get("readyReplicas", 0) for r in sets)
    wanted = found["spec"].get("replicas", 1)
    old = found.get("status") or {}
    numbers = {
        "replicas": total,
        "updatedReplicas": newest["status"].get("replicas", 0) if newest else 0,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
    }
    status: dict[str, Any] = {"observedGeneration": found["metadata"].get("generation", 1)}
    status |= {k: v for k, v in numbers.items() if v}
    status["conditions"] = [
        _condition(t, old, "Available", ready >= wanted, "MinimumReplicasAvailable", "MinimumReplicasUnavailable"),
        _condition(t, old, "Progressing", True, "NewReplicaSetAvailable", "NewReplicaSetAvailable"),
    ]
    meta = dict(found["metadata"])
    if newest is not None:
        meta["annotations"] = dict(meta.get("annotations") or {}) | {_REVISION: str(_revision(newest))}
    t.put("deployments", {**found, "metadata": meta, "status": status})


def _condition(t: Transaction, old: Mapping[str, Any], kind: str, ok: bool, good: str, bad: str) -> dict[str, Any]:
    status = "True" if ok else "False"
    before = next((c for c in old.get("conditions") or [] if c["type"] == kind), None)
    if before is not None and before["status"] == status:
        return dict(before)
    now = stamp(t.now)
    text = "Deployment has minimum availability." if ok else "Deployment does not have minimum availability."
    message = text if kind == "Available" else "ReplicaSet has successfully progressed."
    base = {"type": kind, "status": status, "reason": good if ok else bad, "message": message}
    return base | {"lastUpdateTime": now, "lastTransitionTime": now}


# -- replica sets -------------------------------------------------------------------------------------


def replicaset(t: Transaction, ns: str, name: str, before: Object | None, after: Object | None) -> None:
    """Controller of replica sets. One that a deployment wants and somebody deletes or scales comes back as it was."""
    owner = controller_of(after or before or {"metadata": {}})
    if after is not None:
        reconcile(t, ns, name)
    if owner is not None and owner.get("kind") == "Deployment":
        changed = before is None or after is None or before["spec"].get("replicas") != after["spec"].get("replicas")
        if changed:
            deployment(t, ns, owner["name"], None, t.get("deployments", ns, owner["name"]))


def reconcile(t: Transaction, ns: str, name: str) -> None:
    """Give a replica set as many pods as it wants.

    :raises ApiError: it wants more than a simulated cluster runs (403).
    """
    rs = t.get("replicasets", ns, name)
    if rs is None:
        return
    wanted = rs["spec"].get("replicas", 1)
    if wanted > _MAX_REPLICAS:
        text = (
            f"exceeded quota: a simulated cluster runs at most {_MAX_REPLICAS} replicas of one workload, asked {wanted}"
        )
        raise ApiError(403, text)
    pods = _claimed(t, rs)
    for pod in sorted(pods, key=lambda p: str(p["metadata"]["name"]))[wanted:]:
        record(t, rs, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}", "replicaset-controller")
        t.delete("pods", ns, pod["metadata"]["name"])
    for _ in range(wanted - len(pods)):
        pod = _new_pod(t, rs)
        record(t, rs, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}", "replicaset-controller")
        t.put("pods", pod)
    _set_status(t, ns, name)


def _claimed(t: Transaction, rs: Object) -> list[Object]:
    """The set's pods: it lets go of one whose labels were changed, and adopts one without an owner that matches."""
    selector = LabelSelector(rs["spec"]["selector"])
    pods = []
    for pod in list(t.list("pods", rs["metadata"]["namespace"])):
        matches = selector.matches(pod["metadata"].get("labels") or {})
        if owned(pod, rs):
            if matches:
                pods.append(pod)
            else:
                t.put("pods", {**pod, "metadata": {k: v for k, v in pod["metadata"].items() if k != "ownerReferences"}})
        elif matches and controller_of(pod) is None:
            pods.append(
                t.put("pods", {**pod, "metadata": {**pod["metadata"], "ownerReferences": [owner_reference(rs)]}})
            )
    return pods


def adopt(t: Transaction, pod: Object) -> None:
    """Offer a pod without an owner to the replica sets of its namespace."""
    ns, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels") or {}
    if not labels or controller_of(pod) is not None:
        return
    for rs in list(t.list("replicasets", ns)):
        if LabelSelector(rs["spec"]["selector"]).matches(labels):
            reconcile(t, ns, rs["metadata"]["name"])
            return


def _new_pod(t: Transaction, rs: Object) -> dict[str, Any]:
    name, template = rs["metadata"]["name"], copy.deepcopy(rs["spec"]["template"])
    meta = {k: v for k, v in (template.get("metadata") or {}).items() if k in ("labels", "annotations") and v}
    meta |= {
        "name": name + "-" + suffix(f"{t.cluster.id}/{t.next('pod')}", 5),
        "generateName": f"{name}-",
        "namespace": rs["metadata"]["namespace"],
        "ownerReferences": [owner_reference(rs)],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }


def _set_status(t: Transaction, ns: str, name: str) -> None:
    rs = t.get("replicasets", ns, name)
    if rs is None:
        return
    pods = [p for p in t.list("pods", ns) if owned(p, rs)]
    ready = sum(is_ready(p) for p in pods)
    numbers = {
        "replicas": len(pods),
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    status = {"observedGeneration": rs["metadata"].get("generation", 1)} | {k: v for k, v in numbers.items() if v}
    t.put("replicasets", {**rs, "metadata": dict(rs["metadata"]), "status": {"replicas": 0} | status})


def pod_changed(t: Transaction, ns: str, set_name: str) -> None:
    """A pod of a replica set came, went or changed: the set acts on it, and its deployment counts again."""
    rs = t.get("replicasets", ns, set_name)
    if rs is None:
        return
    reconcile(t, ns, set_name)
    for owner in rs["metadata"].get("ownerReferences") or []:
        _deployment_status(t, ns, owner["name"])
