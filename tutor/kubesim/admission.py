"""What the server sets by itself before it stores an object: identity, defaults, and what an update must not lose."""

from __future__ import annotations

import base64
from typing import Any

from tutor.kubesim import defaults
from tutor.kubesim.registry import Resource
from tutor.kubesim.status import ApiError, invalid
from tutor.kubesim.view import Object


def identify(resource: Resource, namespace: str, obj: dict[str, Any]) -> None:
    """Identity and kind as the path says them."""
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise ApiError(400, "metadata must be an object")
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    if resource.namespaced:
        given = meta.get("namespace") or namespace
        if given != namespace:
            raise ApiError(
                400,
                f"the namespace of the provided object does not match the namespace sent on the request ({given} != {namespace})",
            )
        meta["namespace"] = namespace
    else:
        meta.pop("namespace", None)


def admit(resource: Resource, obj: dict[str, Any]) -> None:
    """Defaults, and what the server sets by itself."""
    if resource.plural == "namespaces":
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
        obj["status"] = {"phase": "Active"}
    elif resource.plural in ("deployments", "replicasets", "services", "pods"):
        obj["status"] = {
            "pods": {"phase": "Pending"},
            "services": {"loadBalancer": {}},
            "replicasets": {"replicas": 0},
        }.get(resource.plural, {})
    _secret(resource, obj)
    if isinstance(obj.get("spec", {}), dict):
        defaults.apply(resource.plural, obj)


def _secret(resource: Resource, obj: dict[str, Any]) -> None:
    """``stringData`` is written only; it becomes data."""
    if resource.plural == "secrets":
        obj.setdefault("type", "Opaque")
        for key, value in (obj.pop("stringData", None) or {}).items():
            obj.setdefault("data", {})[key] = base64.b64encode(str(value).encode()).decode()


def keep(resource: Resource, before: Object, obj: dict[str, Any]) -> None:
    """What an update that does not name it must not lose."""
    if resource.plural == "services":
        spec = obj.setdefault("spec", {})
        for key in ("clusterIP", "clusterIPs"):
            if key in before["spec"]:
                spec.setdefault(key, before["spec"][key])
        _keep_node_ports(before["spec"], spec)
        if spec.get("clusterIP") != before["spec"].get("clusterIP") and before["spec"].get("clusterIP"):
            text = f'spec.clusterIPs[0]: Invalid value: ["{spec.get("clusterIP")}"]: may not change once set'
            raise invalid(
                resource.kind,
                resource.group,
                before["metadata"]["name"],
                [("spec.clusterIPs[0]", "Invalid value", text)],
            )
    if resource.plural == "namespaces":
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = before["metadata"]["name"]
    if resource.plural == "pods":
        obj.setdefault("spec", {}).setdefault("nodeName", before["spec"].get("nodeName"))
    _secret(resource, obj)
    if isinstance(obj.get("spec", {}), dict):
        defaults.apply(resource.plural, obj)


def _keep_node_ports(before: Object, spec: dict[str, Any]) -> None:
    """A port keeps its node port when the update does not name another."""
    if spec.get("type") not in ("NodePort", "LoadBalancer"):
        return
    known = {(p.get("port"), p.get("protocol", "TCP")): p.get("nodePort") for p in before.get("ports") or []}
    for port in spec.get("ports") or []:
        number = known.get((port.get("port"), port.get("protocol", "TCP")))
        if number:
            port.setdefault("nodePort", number)
