"""Tables: what ``kubectl get`` prints. Columns and cells follow the API server's printers; priority 1 is ``-o wide``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from tutor.kubesim.view import Object

Cell = str | int
Column = tuple[str, str, int, Callable[[Object, datetime], Cell]]


def render(
    plural: str, items: Iterable[Object], now: datetime, *, list_meta: dict[str, Any], include: str = "Metadata"
) -> dict[str, Any]:
    """A Table object.

    :param include: ``Metadata`` (rows carry PartialObjectMetadata), ``Object`` or ``None``.
    """
    columns = COLUMNS.get(plural, _PLAIN)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_meta,
        "columnDefinitions": [
            {
                "name": name,
                "type": kind,
                "format": "name" if name == "Name" else "",
                "description": name,
                "priority": priority,
            }
            for name, kind, priority, _ in columns
        ],
        "rows": [
            {"cells": [cell(item, now) for _, _, _, cell in columns]}
            | ({"object": _row_object(item, include)} if include != "None" else {})
            for item in items
        ],
    }


def _row_object(item: Object, include: str) -> Any:
    if include == "Object":
        return item
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def age(since: str | None, now: datetime) -> str:
    """A duration as kubectl prints it: 45s, 12m, 3h, 5d."""
    if not since:
        return "<unknown>"
    seconds = max(0, int((now - datetime.fromisoformat(since.replace("Z", "+00:00")).astimezone(UTC)).total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        rest = seconds % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        rest = hours % 24
        return f"{days}d{rest}h" if rest else f"{days}d"
    return f"{days}d"


def _name(o: Object, _now: datetime) -> Cell:
    return str(o["metadata"]["name"])


def _age(o: Object, now: datetime) -> Cell:
    return age(o["metadata"].get("creationTimestamp"), now)


def _at(*path: str, default: Cell = "<none>") -> Callable[[Object, datetime], Cell]:
    def cell(o: Any, _now: datetime) -> Cell:
        for part in path:
            o = o.get(part) if isinstance(o, dict) else None
        return default if o is None or o == "" else o

    return cell


def _pairs(pairs: dict[str, str] | None) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted((pairs or {}).items())) or "<none>"


def _selector(o: Object, _now: datetime) -> Cell:
    return selector_text((o.get("spec") or {}).get("selector") or {})


def selector_text(selector: dict[str, Any]) -> str:
    """A LabelSelector (or a plain map) in one line."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return _pairs(selector)
    parts = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for e in selector.get("matchExpressions") or []:
        values = ",".join(sorted(e.get("values") or []))
        parts.append(
            {"In": f"{e['key']} in ({values})", "NotIn": f"{e['key']} notin ({values})", "Exists": e["key"]}.get(
                e["operator"], f"!{e['key']}"
            )
        )
    return ",".join(parts) or "<none>"


def _ready(o: Object, _now: datetime) -> Cell:
    statuses = (o.get("status") or {}).get("containerStatuses") or []
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(o['spec'].get('containers') or [])}"


def _pod_status(o: Object, _now: datetime) -> Cell:
    if o["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for s in (o.get("status") or {}).get("containerStatuses") or []:
        for state in ("waiting", "terminated"):
            reason = (s.get("state") or {}).get(state, {}).get("reason")
            if reason:
                return str(reason)
    return str((o.get("status") or {}).get("phase") or "Unknown")


def _restarts(o: Object, _now: datetime) -> Cell:
    return str(sum(s.get("restartCount", 0) for s in (o.get("status") or {}).get("containerStatuses") or []))


def _containers(what: str) -> Callable[[Object, datetime], Cell]:
    def cell(o: Object, _now: datetime) -> Cell:
        return ",".join(str(c.get(what)) for c in o["spec"]["template"]["spec"].get("containers") or [])

    return cell


def _service_ports(o: Object, _now: datetime) -> Cell:
    def one(p: dict[str, Any]) -> str:
        node = f":{p['nodePort']}" if p.get("nodePort") else ""
        return f"{p['port']}{node}/{p.get('protocol', 'TCP')}"

    return ",".join(one(p) for p in o["spec"].get("ports") or []) or "<none>"


def _deployment_ready(o: Object, _now: datetime) -> Cell:
    return f"{(o.get('status') or {}).get('readyReplicas', 0)}/{o['spec'].get('replicas', 1)}"


def _slice_ports(o: Object, _now: datetime) -> Cell:
    return ",".join(str(p["port"]) for p in o.get("ports") or []) or "<unset>"


def _slice_endpoints(o: Object, _now: datetime) -> Cell:
    found = [a for e in o.get("endpoints") or [] for a in e["addresses"]]
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") or "<unset>"


def _node_status(o: Object, _now: datetime) -> Cell:
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in (o.get("status") or {}).get("conditions") or [])
    return ("Ready" if ready else "NotReady") + (
        ",SchedulingDisabled" if (o.get("spec") or {}).get("unschedulable") else ""
    )


def _node_roles(o: Object, _now: datetime) -> Cell:
    prefix = "node-role.kubernetes.io/"
    return (
        ",".join(sorted(k.removeprefix(prefix) for k in o["metadata"].get("labels") or {} if k.startswith(prefix)))
        or "<none>"
    )


def _event_object(o: Object, _now: datetime) -> Cell:
    about = o.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


NAME: Column = ("Name", "string", 0, _name)
AGE: Column = ("Age", "string", 0, _age)
_PLAIN = (NAME, AGE)
_WORKLOAD: tuple[Column, ...] = (
    ("Containers", "string", 1, _containers("name")),
    ("Images", "string", 1, _containers("image")),
    ("Selector", "string", 1, _selector),
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": (
        NAME,
        ("Ready", "string", 0, _ready),
        ("Status", "string", 0, _pod_status),
        ("Restarts", "string", 0, _restarts),
        AGE,
        ("IP", "string", 1, _at("status", "podIP")),
        ("Node", "string", 1, _at("spec", "nodeName")),
        ("Nominated Node", "string", 1, _at("status", "nominatedNodeName")),
        ("Readiness Gates", "string", 1, lambda _o, _n: "<none>"),
    ),
    "namespaces": (NAME, ("Status", "string", 0, _at("status", "phase")), AGE),
    "services": (
        NAME,
        ("Type", "string", 0, _at("spec", "type")),
        ("Cluster-IP", "string", 0, _at("spec", "clusterIP")),
        ("External-IP", "string", 0, lambda o, _n: o["spec"].get("externalName") or ("<pending>" if o["spec"].get("type") == "LoadBalancer" else "<none>")),
        ("Port(s)", "string", 0, _service_ports),
        AGE,
        ("Selector", "string", 1, _selector),
    ),
    "deployments": (
        NAME,
        ("Ready", "string", 0, _deployment_ready),
        ("Up-to-date", "integer", 0, _at("status", "updatedReplicas", default=0)),
        ("Available", "integer", 0, _at("status", "availableReplicas", default=0)),
        AGE,
        *_WORKLOAD,
    ),
    "replicasets": (
        NAME,
        ("Desired", "integer", 0, _at("spec", "replicas", default=0)),
        ("Current", "integer", 0, _at("status", "replicas", default=0)),
        ("Ready", "integer", 0, _at("status", "readyReplicas", default=0)),
        AGE,
        *_WORKLOAD,
    ),
    "configmaps": (NAME, ("Data", "integer", 0, lambda o, _n: len(o.get("data") or {}) + len(o.get("binaryData") or {})), AGE),
    "secrets": (NAME, ("Type", "string", 0, _at("type", default="Opaque")), ("Data", "integer", 0, lambda o, _n: len(o.get("data") or {})), AGE),
    "serviceaccounts": (NAME, ("Secrets", "integer", 0, lambda o, _n: len(o.get("secrets") or [])), AGE),
    "endpointslices": (
        NAME,
        ("AddressType", "string", 0, _at("addressType")),
        ("Ports", "string", 0, _slice_ports),
        ("Endpoints", "string", 0, _slice_endpoints),
        AGE,
    ),
    "networkpolicies": (
        NAME,
        ("Pod-Selector", "string", 0, lambda o, _n: selector_text((o.get("spec") or {}).get("podSelector") or {})),
        AGE,
    ),
    "nodes": (
        NAME,
        ("Status", "string", 0, _node_status),
        ("Roles", "string", 0, _node_roles),
        AGE,
        ("Version", "string", 0, _at("status", "nodeInfo", "kubeletVersion")),
        ("Internal-IP", "string", 1, lambda o, _n: next((a["address"] for a in o["status"]["addresses"] if a["type"] == "InternalIP"), "<none>")),
        ("External-IP", "string", 1, lambda _o, _n: "<none>"),
        ("OS-Image", "string", 1, _at("status", "nodeInfo", "osImage")),
        ("Kernel-Version", "string", 1, _at("status", "nodeInfo", "kernelVersion")),
        ("Container-Runtime", "string", 1, _at("status", "nodeInfo", "containerRuntimeVersion")),
    ),
    "events": (
        ("Last Seen", "string", 0, lambda o, now: age(o.get("lastTimestamp"), now)),
        ("Type", "string", 0, _at("type")),
        ("Reason", "string", 0, _at("reason")),
        ("Object", "string", 0, _event_object),
        ("Subobject", "string", 1, _at("involvedObject", "fieldPath", default="")),
        ("Source", "string", 1, _at("source", "component", default="")),
        ("Message", "string", 0, _at("message")),
        ("First Seen", "string", 1, lambda o, now: age(o.get("firstTimestamp"), now)),
        ("Count", "integer", 1, _at("count", default=1)),
        ("Name", "string", 1, _name),
    ),
}  # fmt: skip
