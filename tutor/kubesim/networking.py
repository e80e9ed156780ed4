"""Services get addresses, node ports and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutor.kubesim.cluster import Transaction
from tutor.kubesim.relations import NODE, is_ready, owner_reference, suffix
from tutor.kubesim.view import Object

_SERVICE_NAME = "kubernetes.io/service-name"


def service(t: Transaction, ns: str, name: str, _before: Object | None, after: Object | None) -> None:
    """Controller of services."""
    found = t.get("services", ns, name)
    if after is None or found is None:
        return
    spec = dict(found["spec"])
    if spec.get("type") != "ExternalName" and not spec.get("clusterIP"):
        used = {s["spec"].get("clusterIP") for s in t.list("services")}
        address = _address(t)
        while address in used:
            address = _address(t)
        spec |= {"clusterIP": address, "clusterIPs": [address]}
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        spec["ports"] = [p if p.get("nodePort") else {**p, "nodePort": _node_port(t)} for p in spec.get("ports") or []]
    endpoints(t, t.put("services", {**found, "metadata": dict(found["metadata"]), "spec": spec}))


def _address(t: Transaction) -> str:
    number = t.next("service", 20)
    return f"10.96.{number // 250 % 256}.{number % 250 + 1}"


def _node_port(t: Transaction) -> int:
    return 30000 + t.next("nodeport") % 2768


def endpoints(t: Transaction, service: Object) -> None:
    """The EndpointSlice of a service with a selector: the running pods it selects, and their own ports."""
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
    slice_name = f"{name}-{suffix(meta['uid'], 5)}"
    old = t.get("endpointslices", ns, slice_name)
    labels = {_SERVICE_NAME: name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
    new = {
        "name": slice_name,
        "generateName": f"{name}-",
        "namespace": ns,
        "labels": labels,
        "ownerReferences": [owner_reference(service)],
    }
    t.put(
        "endpointslices",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": dict(old["metadata"]) if old else new,
            "addressType": "IPv4",
            "endpoints": [_endpoint(p) for p in sorted(pods, key=lambda p: str(p["metadata"]["name"]))],
            "ports": [
                {"name": p.get("name", ""), "port": number, "protocol": p.get("protocol", "TCP")}
                for p in spec.get("ports") or []
                if (number := _target_port(p, pods)) is not None
            ],
        },
    )


def _endpoint(pod: Object) -> dict[str, Any]:
    meta, ready = pod["metadata"], is_ready(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "nodeName": NODE,
        "targetRef": {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
    }


def endpoint_slice(t: Transaction, ns: str, _name: str, before: Object | None, after: Object | None) -> None:
    """Controller of endpoint slices: one that is deleted while its service lives comes back."""
    if after is None and before is not None:
        owner = t.get("services", ns, (before["metadata"].get("labels") or {}).get(_SERVICE_NAME, ""))
        if owner is not None:
            endpoints(t, owner)


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
