"""What a cluster does by itself: deployments make replica sets, those make pods, services get addresses and endpoints.

Everything happens inside the transaction that caused it, so that a Deployment's pods are ready when its create is answered.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tutor.kubesim import images
from tutor.kubesim.cluster import Transaction, stamp
from tutor.kubesim.events import record
from tutor.kubesim.status import ApiError
from tutor.kubesim.view import Object

NODE = "kubetutor-control-plane"
NODE_IP = "172.18.0.2"
_MAX_ROUNDS = 1000
_MAX_REPLICAS = 100
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def settle(t: Transaction) -> None:
    """Run every controller on what changed, until nothing changes any more."""
    done = 0
    for _ in range(_MAX_ROUNDS):
        if done == len(t.changes):
            return
        for change in t.changes[done:]:
            done += 1
            controller = _CONTROLLERS.get(change.plural)
            if controller is not None:
                controller(t, change.namespace, change.name, change.before, change.after)
            if change.after is None and change.before is not None:
                _collect(t, change.before)


def _owned(obj: Object, owner: Object) -> bool:
    return any(r.get("uid") == owner["metadata"]["uid"] for r in obj["metadata"].get("ownerReferences") or [])


def _owner_reference(owner: Object) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _collect(t: Transaction, gone: Object) -> None:
    """Garbage collection: what a deleted owner owned goes too."""
    namespace = gone["metadata"].get("namespace", "")
    for plural in ("replicasets", "pods", "endpointslices"):
        for obj in list(t.list(plural, namespace)):
            if _owned(obj, gone):
                t.delete(plural, namespace, obj["metadata"]["name"])


def suffix(text: str, length: int) -> str:
    """A stable random-looking suffix in the alphabet Kubernetes uses for generated names."""
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[b % len(_ALPHABET)] for b in digest[:length])


# -- namespaces ---------------------------------------------------------------------------------------


def _namespace(t: Transaction, _ns: str, name: str, before: Object | None, after: Object | None) -> None:
    if before is None and after is not None:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        t.put("serviceaccounts", account)
        root = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "kube-root-ca.crt", "namespace": name},
            "data": {},
        }
        t.put("configmaps", root)
    if after is None:
        for plural in list(t.cluster.objects) + [c.plural for c in t.changes]:
            for obj in list(t.list(plural, name)):
                t.delete(plural, name, obj["metadata"]["name"])


# -- deployments --------------------------------------------------------------------------------------


def _deployment(t: Transaction, ns: str, name: str, _before: Object | None, after: Object | None) -> None:
    deployment = t.get("deployments", ns, name)
    if after is None or deployment is None:
        return
    template = deployment["spec"]["template"]
    hashed = suffix(
        json.dumps({**template, "metadata": {"labels": template["metadata"].get("labels")}}, sort_keys=True), 10
    )
    sets = [r for r in t.list("replicasets", ns) if _owned(r, deployment)]
    current = next((r for r in sets if r["metadata"]["labels"].get("pod-template-hash") == hashed), None)
    replicas = deployment["spec"].get("replicas", 1)
    revision = max((int(r["metadata"]["annotations"][_REVISION]) for r in sets), default=0)
    if current is None:
        revision += 1
        t.put("replicasets", _new_replicaset(deployment, hashed, replicas, revision))
        record(
            t,
            deployment,
            "ScalingReplicaSet",
            f"Scaled up replica set {name}-{hashed} from 0 to {replicas}",
            "deployment-controller",
        )
    elif current["spec"].get("replicas") != replicas:
        was = current["spec"].get("replicas")
        word = "up" if replicas > was else "down"
        text = f"Scaled {word} replica set {current['metadata']['name']} from {was} to {replicas}"
        record(t, deployment, "ScalingReplicaSet", text, "deployment-controller")
        t.put(
            "replicasets",
            {**current, "metadata": dict(current["metadata"]), "spec": {**current["spec"], "replicas": replicas}},
        )
    for old in sets:
        if old is not current and old["spec"].get("replicas"):
            t.put("replicasets", {**old, "metadata": dict(old["metadata"]), "spec": {**old["spec"], "replicas": 0}})
    _deployment_status(t, ns, name, revision)


_REVISION = "deployment.kubernetes.io/revision"


def _new_replicaset(deployment: Object, hashed: str, replicas: int, revision: int) -> dict[str, Any]:
    template = copy.deepcopy(deployment["spec"]["template"])
    labels = dict(template["metadata"].get("labels") or {}) | {"pod-template-hash": hashed}
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(deployment["spec"]["selector"])
    selector.setdefault("matchLabels", {})["pod-template-hash"] = hashed
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{hashed}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": {_REVISION: str(revision), "deployment.kubernetes.io/desired-replicas": str(replicas)},
            "ownerReferences": [_owner_reference(deployment)],
            "generation": 1,
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
        "status": {"replicas": 0},
    }


def _deployment_status(t: Transaction, ns: str, name: str, revision: int) -> None:
    deployment = t.get("deployments", ns, name)
    if deployment is None:
        return
    sets = [r for r in t.list("replicasets", ns) if _owned(r, deployment)]
    newest = max(sets, key=lambda r: int(r["metadata"]["annotations"][_REVISION]), default=None)
    total = sum(r["status"].get("replicas", 0) for r in sets)
    ready = sum(r["status"].get("readyReplicas", 0) for r in sets)
    wanted = deployment["spec"].get("replicas", 1)
    old = deployment.get("status") or {}
    numbers = {
        "replicas": total,
        "updatedReplicas": newest["status"].get("replicas", 0) if newest else 0,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
    }
    status: dict[str, Any] = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    status |= {k: v for k, v in numbers.items() if v}
    available = ready >= wanted
    status["conditions"] = [
        _condition(t, old, "Available", available, "MinimumReplicasAvailable", "MinimumReplicasUnavailable"),
        _condition(t, old, "Progressing", True, "NewReplicaSetAvailable", "NewReplicaSetAvailable"),
    ]
    meta = dict(deployment["metadata"])
    annotations = dict(meta.get("annotations") or {})
    annotations[_REVISION] = str(revision or annotations.get(_REVISION, "1"))
    meta["annotations"] = annotations
    t.put("deployments", {**deployment, "metadata": meta, "status": status})


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


# -- replica sets and pods ----------------------------------------------------------------------------


def _replicaset(t: Transaction, ns: str, name: str, _before: Object | None, after: Object | None) -> None:
    rs = t.get("replicasets", ns, name)
    if after is None or rs is None:
        return
    wanted = rs["spec"].get("replicas", 1)
    if wanted > _MAX_REPLICAS:
        raise ApiError(
            403,
            f"exceeded quota: a simulated cluster runs at most {_MAX_REPLICAS} replicas of one workload, asked {wanted}",
        )
    from tutor.kubesim.selecting import LabelSelector

    selector = LabelSelector(rs["spec"]["selector"])
    pods = []
    for pod in t.list("pods", ns):
        if _owned(pod, rs):
            if selector.matches(pod["metadata"].get("labels") or {}):
                pods.append(pod)
            else:  # its labels were changed: the set lets it go and makes another
                meta = {k: v for k, v in pod["metadata"].items() if k != "ownerReferences"}
                t.put("pods", {**pod, "metadata": meta})
    for pod in sorted(pods, key=lambda p: p["metadata"]["name"])[wanted:]:
        record(t, rs, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}", "replicaset-controller")
        t.delete("pods", ns, pod["metadata"]["name"])
    for _ in range(wanted - len(pods)):
        number = t.next("pod")
        pod_name = f"{name}-{suffix(f'{t.cluster.id}/{number}', 5)}"
        template = copy.deepcopy(rs["spec"]["template"])
        meta = {k: v for k, v in template["metadata"].items() if k in ("labels", "annotations") and v}
        meta |= {
            "name": pod_name,
            "generateName": f"{name}-",
            "namespace": ns,
            "ownerReferences": [_owner_reference(rs)],
        }
        record(t, rs, "SuccessfulCreate", f"Created pod: {pod_name}", "replicaset-controller")
        t.put(
            "pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": meta,
                "spec": template["spec"],
                "status": {"phase": "Pending"},
            },
        )
    _replicaset_status(t, ns, name)


def _replicaset_status(t: Transaction, ns: str, name: str) -> None:
    rs = t.get("replicasets", ns, name)
    if rs is None:
        return
    pods = [p for p in t.list("pods", ns) if _owned(p, rs)]
    ready = sum(is_ready(p) for p in pods)
    numbers = {
        "replicas": len(pods),
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    status = {"observedGeneration": rs["metadata"].get("generation", 1)} | {k: v for k, v in numbers.items() if v}
    t.put("replicasets", {**rs, "metadata": dict(rs["metadata"]), "status": {"replicas": 0} | status})


def is_ready(pod: Object) -> bool:
    """Whether a pod's Ready condition is true."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _pod(t: Transaction, ns: str, name: str, before: Object | None, after: Object | None) -> None:
    pod = t.get("pods", ns, name)
    if after is not None and pod is not None and not pod["spec"].get("nodeName"):
        _start(t, pod)
        return  # the start is a change of its own and comes back here
    for reference in ((after or before) or {})["metadata"].get("ownerReferences") or []:
        if reference["kind"] == "ReplicaSet":
            rs = t.get("replicasets", ns, reference["name"])
            if rs is not None:
                _replicaset(t, ns, reference["name"], rs, rs)
                for owner in rs["metadata"].get("ownerReferences") or []:
                    _deployment_status(t, ns, owner["name"], 0)
    labels_changed = (before or {}).get("metadata", {}).get("labels") != (after or {}).get("metadata", {}).get("labels")
    if before is None or after is None or labels_changed or is_ready(before) != is_ready(after):
        for service in list(t.list("services", ns)):
            _endpoints(t, service)


def _start(t: Transaction, pod: Object) -> None:
    """Schedule and start a pod at once; a container whose process ends shows that in its state."""
    number = t.next("ip", 2)
    spec = {**pod["spec"], "nodeName": NODE}
    host = bool(spec.get("hostNetwork"))
    ip = NODE_IP if host else f"10.244.{number // 250 % 256}.{number % 250 + 2}"
    now = stamp(t.now)
    statuses = [_container_status(t, pod, c, now) for c in spec.get("containers") or []]
    running = all("running" in s["state"] for s in statuses)
    ended = [s["state"]["terminated"]["exitCode"] for s in statuses if "terminated" in s["state"]]
    phase = "Running" if len(ended) < len(statuses) else "Failed" if any(ended) else "Succeeded"
    ready = "True" if running else "False"
    conditions = [
        {"type": kind, "status": ready if kind in ("Ready", "ContainersReady") else "True", "lastTransitionTime": now}
        for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    status = {
        "phase": phase,
        "conditions": conditions,
        "hostIP": NODE_IP,
        "hostIPs": [{"ip": NODE_IP}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": now,
        "containerStatuses": statuses,
        "qosClass": "BestEffort",
    }
    record(
        t,
        pod,
        "Scheduled",
        f"Successfully assigned {pod['metadata']['namespace']}/{pod['metadata']['name']} to {NODE}",
        "default-scheduler",
    )
    for c in spec.get("containers") or []:
        record(t, pod, "Pulled", f'Container image "{c.get("image")}" already present on machine', "kubelet")
        record(t, pod, "Started", f"Started container {c.get('name')}", "kubelet")
    t.put("pods", {**pod, "metadata": dict(pod["metadata"]), "spec": spec, "status": status})


def _container_status(t: Transaction, pod: Object, container: Mapping[str, Any], now: str) -> dict[str, Any]:
    seed = f"{t.cluster.id}/{pod['metadata']['uid']}/{container.get('name')}"
    code = images.exit_code(container)
    policy = pod["spec"].get("restartPolicy", "Always")
    identity = "containerd://" + hashlib.sha256(seed.encode()).hexdigest()
    state: dict[str, Any] = {"running": {"startedAt": now}}
    if code is not None and (policy == "Never" or (policy == "OnFailure" and code == 0)):
        reason = "Completed" if code == 0 else "Error"
        times = {"startedAt": now, "finishedAt": now}
        state = {"terminated": {"exitCode": code, "reason": reason, "containerID": identity} | times}
    elif code is not None:
        text = f"back-off 10s restarting failed container={container.get('name')} pod={pod['metadata']['name']}"
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
    return {
        "name": container.get("name"),
        "image": container.get("image"),
        "imageID": f"docker.io/{container.get('image')}",
        "containerID": identity,
        "ready": "running" in state,
        "started": "running" in state,
        "restartCount": 0 if "waiting" not in state else 1,
        "state": state,
        "lastState": {},
    }


# -- services -----------------------------------------------------------------------------------------


def _service(t: Transaction, ns: str, name: str, _before: Object | None, after: Object | None) -> None:
    service = t.get("services", ns, name)
    if after is None or service is None:
        return
    spec = service["spec"]
    if spec.get("type") != "ExternalName" and not spec.get("clusterIP"):
        used = {s["spec"].get("clusterIP") for s in t.list("services")}
        number = t.next("service", 20)
        while f"10.96.{number // 250}.{number % 250 + 1}" in used:
            number = t.next("service", 20)
        ip = f"10.96.{number // 250}.{number % 250 + 1}"
        service = t.put(
            "services",
            {**service, "metadata": dict(service["metadata"]), "spec": {**spec, "clusterIP": ip, "clusterIPs": [ip]}},
        )
    _endpoints(t, service)


def _endpoints(t: Transaction, service: Object) -> None:
    """The EndpointSlice of a service with a selector: the ready pods it selects, and their own ports."""
    meta, spec = service["metadata"], service["spec"]
    selector = spec.get("selector")
    if not selector:
        return
    ns, name = meta["namespace"], meta["name"]
    pods = [
        p
        for p in t.list("pods", ns)
        if (p.get("status") or {}).get("podIP")
        and (p.get("status") or {}).get("phase") == "Running"
        and all((p["metadata"].get("labels") or {}).get(k) == v for k, v in selector.items())
    ]
    ports = [
        {"name": p.get("name", ""), "port": number, "protocol": p.get("protocol", "TCP")}
        for p in spec.get("ports") or []
        if (number := _target_port(p, pods)) is not None
    ]
    endpoints = [
        {
            "addresses": [p["status"]["podIP"]],
            "conditions": {"ready": is_ready(p), "serving": is_ready(p), "terminating": False},
            "nodeName": NODE,
            "targetRef": {"kind": "Pod", "namespace": ns, "name": p["metadata"]["name"], "uid": p["metadata"]["uid"]},
        }
        for p in sorted(pods, key=lambda p: p["metadata"]["name"])
    ]
    slice_name = f"{name}-{suffix(meta['uid'], 5)}"
    old = t.get("endpointslices", ns, slice_name)
    labels = {
        "kubernetes.io/service-name": name,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    t.put(
        "endpointslices",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": dict(old["metadata"])
            if old
            else {
                "name": slice_name,
                "generateName": f"{name}-",
                "namespace": ns,
                "labels": labels,
                "ownerReferences": [_owner_reference(service)],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        },
    )


def _target_port(port: Mapping[str, Any], pods: list[Object]) -> int | None:
    target = port.get("targetPort", port.get("port"))
    if isinstance(target, int):
        return target
    for pod in pods:
        for container in pod["spec"].get("containers") or []:
            for declared in container.get("ports") or []:
                if declared.get("name") == target:
                    return int(declared["containerPort"])
    return None


_CONTROLLERS = {
    "namespaces": _namespace,
    "deployments": _deployment,
    "replicasets": _replicaset,
    "pods": _pod,
    "services": _service,
}
