"""Pods start at once; a container whose process ends shows that in its state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tutor.kubesim import images, networking, workloads
from tutor.kubesim.cluster import Transaction, stamp
from tutor.kubesim.events import record
from tutor.kubesim.relations import NODE, NODE_IP, is_ready
from tutor.kubesim.view import Object

OUTPUT = "podlogs"
"""Where the output of processes that ended is kept: a kind of ours that the API does not serve, named as its pod."""


def pod(t: Transaction, ns: str, name: str, before: Object | None, after: Object | None) -> None:
    """Controller of pods."""
    found = t.get("pods", ns, name)
    if after is not None and found is not None and _waits(found):
        _start(t, found)
        return  # the start is a change of its own and comes back here
    if found is None:
        t.delete(OUTPUT, ns, name)
    labels_changed = _labels(before) != _labels(after)
    if found is not None and labels_changed:
        workloads.adopt(t, found)
    for reference in ((after or before) or {"metadata": {}})["metadata"].get("ownerReferences") or []:
        if reference.get("kind") == "ReplicaSet":
            workloads.pod_changed(t, ns, reference["name"])
    if before is None or after is None or labels_changed or _reachable(before) != _reachable(after):
        for service in list(t.list("services", ns)):
            networking.endpoints(t, service)


def _waits(found: Object) -> bool:
    status = found.get("status") or {}
    return not status.get("podIP") and found["spec"].get("nodeName") in (None, "", NODE)


def _labels(obj: Object | None) -> Any:
    return None if obj is None else obj["metadata"].get("labels")


def _reachable(obj: Object) -> tuple[Any, ...]:
    status = obj.get("status") or {}
    return status.get("phase"), status.get("podIP"), is_ready(obj)


def _start(t: Transaction, found: Object) -> None:
    number = t.next("ip", 2)
    meta = found["metadata"]
    spec = {**found["spec"], "nodeName": NODE}
    ip = NODE_IP if spec.get("hostNetwork") else f"10.244.{number // 250 % 256}.{number % 250 + 2}"
    record(
        t,
        found,
        "Scheduled",
        f"Successfully assigned {meta['namespace']}/{meta['name']} to {NODE}",
        "default-scheduler",
    )
    now = stamp(t.now)
    for c in spec.get("containers") or []:
        record(t, found, "Pulled", f'Container image "{c.get("image")}" already present on machine', "kubelet")
        record(t, found, "Created", f"Created container: {c.get('name')}", "kubelet")
        record(t, found, "Started", f"Started container {c.get('name')}", "kubelet")
    status = {
        "hostIP": NODE_IP,
        "hostIPs": [{"ip": NODE_IP}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": now,
        "qosClass": "BestEffort",
    }
    statuses = [_first_state(t, found, c, now) for c in spec.get("containers") or []]
    t.put("pods", {**found, "metadata": dict(meta), "spec": spec, "status": _status(status, statuses, now)})


def _status(status: Mapping[str, Any], containers: Sequence[Mapping[str, Any]], now: str) -> dict[str, Any]:
    """A pod's status from its containers' states."""
    ended = [s["state"]["terminated"]["exitCode"] for s in containers if "terminated" in s["state"]]
    phase = "Running" if len(ended) < len(containers) else "Failed" if any(ended) else "Succeeded"
    ready = "True" if all("running" in s["state"] for s in containers) else "False"
    old = {c["type"]: c for c in status.get("conditions") or []}
    conditions = []
    for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"):
        value = ready if kind in ("Ready", "ContainersReady") else "True"
        same = old.get(kind, {}).get("status") == value
        conditions.append(old[kind] if same else {"type": kind, "status": value, "lastTransitionTime": now})
        if not same and value == "False":
            conditions[-1] = {
                **conditions[-1],
                "reason": "PodCompleted" if phase == "Succeeded" else "ContainersNotReady",
            }
    return {**status, "phase": phase, "conditions": conditions, "containerStatuses": list(containers)}


def _first_state(t: Transaction, found: Object, container: Mapping[str, Any], now: str) -> dict[str, Any]:
    """A container's state right after the start. One that ends and is started again and again has crashed already; the
    process of one that may end runs for real (see :mod:`tutor.kubesim.oneoff`)."""
    seed = f"{t.cluster.id}/{found['metadata']['uid']}/{container.get('name')}"
    identity = "containerd://" + hashlib.sha256(seed.encode()).hexdigest()
    state: dict[str, Any] = {"running": {"startedAt": now}}
    crashed = images.exit_code(container) is not None and not may_end(found)
    if crashed:
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": _backoff(found, container)}}
    return {
        "name": container.get("name"),
        "image": container.get("image"),
        "imageID": f"docker.io/{container.get('image')}",
        "containerID": identity,
        "ready": not crashed,
        "started": not crashed,
        "restartCount": 1 if crashed else 0,
        "state": state,
        "lastState": {},
    }


def _backoff(found: Object, container: Mapping[str, Any]) -> str:
    return f"back-off 10s restarting failed container={container.get('name')} pod={found['metadata']['name']}"


def may_end(found: Object) -> bool:
    """Whether the pod is one whose processes may end for good."""
    return bool(found["spec"].get("restartPolicy", "Always") != "Always")


def state_of(found: Object, container: str) -> Mapping[str, Any]:
    """The state of one container (``running``, ``waiting`` or ``terminated``)."""
    statuses = (found.get("status") or {}).get("containerStatuses") or []
    state: Mapping[str, Any] = next((s.get("state") or {} for s in statuses if s.get("name") == container), {})
    return state


def finish(
    t: Transaction, found: Object, container: str, code: int, output: Sequence[tuple[datetime, str]], message: str = ""
) -> None:
    """A container's process ended: note how, keep what it wrote, and start it again where the pod says so.

    :param message: why, where the process could not run at all.
    """
    ns, name, now = found["metadata"]["namespace"], found["metadata"]["name"], stamp(t.now)
    policy = found["spec"].get("restartPolicy", "Always")
    again = policy == "Always" or (policy == "OnFailure" and code != 0)
    statuses = []
    for status in found["status"]["containerStatuses"]:
        if status["name"] == container and "running" in status["state"]:
            ended = {
                "exitCode": code,
                "reason": "Completed" if code == 0 else "StartError" if message else "Error",
                "startedAt": status["state"]["running"].get("startedAt"),
                "finishedAt": now,
                "containerID": status["containerID"],
            } | ({"message": message} if message else {})
            statuses.append(_again(found, status, ended, policy, now) if again else _ended(status, ended))
        else:
            statuses.append(status)
    kept = dict((t.get(OUTPUT, ns, name) or {}).get("containers") or {})
    kept[container] = [[at.isoformat(), line] for at, line in output]
    uid = found["metadata"]["uid"]
    t.put(OUTPUT, {"metadata": {"name": name, "namespace": ns}, "pod": uid, "containers": kept})
    t.put(
        "pods",
        {**found, "metadata": dict(found["metadata"]), "status": _status(found["status"], statuses, now)},
    )


def _ended(status: Mapping[str, Any], ended: dict[str, Any]) -> dict[str, Any]:
    return {**status, "ready": False, "started": False, "state": {"terminated": ended}}


def _again(found: Object, status: Mapping[str, Any], ended: dict[str, Any], policy: str, now: str) -> dict[str, Any]:
    """Started again after an attached session; left in back-off after a failure."""
    next_state: dict[str, Any] = {"running": {"startedAt": now}}
    if policy == "OnFailure":
        next_state = {"waiting": {"reason": "CrashLoopBackOff", "message": _backoff(found, status)}}
    up = "running" in next_state
    head = {"ready": up, "started": up, "restartCount": status.get("restartCount", 0) + 1}
    return {**status, **head, "state": next_state, "lastState": {"terminated": ended}}
