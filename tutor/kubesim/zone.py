"""The names of a simulated cluster: the zone ``cluster.local`` as the Kubernetes DNS specification describes it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from tutor.kubesim.dataplane import is_up, pod_ips
from tutor.kubesim.view import Object, View

DOMAIN = "cluster.local"
A, SOA, PTR, AAAA, SRV = 1, 6, 12, 28, 33


def records(view: View, name: str, kind: int = A) -> tuple[str, ...] | None:
    """What the zone holds for a full name, in the form tools print it.

    :returns: values (SRV: ``priority weight port target``), none of this kind (empty), or None: there is no such name.
        Names outside the cluster do not exist here: a simulated cluster has no way out.
    """
    name = name.rstrip(".").lower()
    if name.endswith(".in-addr.arpa"):
        found = _reverse(view, ".".join(reversed(name.removesuffix(".in-addr.arpa").split("."))))
        return None if found is None else (found,) if kind == PTR else ()
    if name != DOMAIN and not name.endswith(f".{DOMAIN}"):
        return None
    labels = name.removesuffix(DOMAIN).rstrip(".").split(".") if name != DOMAIN else []
    if kind == SRV:
        return _srv(view, labels)
    found_ips = _addresses(view, labels)
    if found_ips is None or kind not in (A, AAAA):
        return None if found_ips is None and _srv(view, labels) is None else ()
    return tuple(ip for ip in found_ips if ipaddress.ip_address(ip).version == (6 if kind == AAAA else 4))


def _addresses(view: View, labels: list[str]) -> tuple[str, ...] | None:
    match labels:
        case [] | ["svc"] | ["pod"]:
            return ()
        case [namespace, "svc" | "pod"]:
            return () if view.get("namespaces", "", namespace) else None
        case [dashed, namespace, "pod"]:
            ip = dashed.replace("-", ".")
            return (ip,) if view.get("namespaces", "", namespace) and _is_v4(ip) else None
        case [name, namespace, "svc"]:
            service = view.get("services", namespace, name)
            if service is None:
                return None
            ip = service["spec"].get("clusterIP") or ""
            return tuple(a for _, a in _endpoints(view, service)) if ip == "None" else (ip,) if ip else ()
        case [host, name, namespace, "svc"]:
            service = view.get("services", namespace, name)
            found = [a for h, a in _endpoints(view, service) if h == host] if service is not None else []
            return tuple(found) or None
    return None


def _is_v4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False


def _srv(view: View, labels: list[str]) -> tuple[str, ...] | None:
    wanted: tuple[str, str] | None = None
    match labels:
        case [port, protocol, name, namespace, "svc"] if port.startswith("_") and protocol.startswith("_"):
            wanted = (port[1:], protocol[1:].upper())
        case [name, namespace, "svc"]:
            pass
        case _:
            return () if _addresses(view, labels) is not None else None
    service = view.get("services", namespace, name)
    if service is None:
        return None
    base = f"{name}.{namespace}.svc.{DOMAIN}"
    ports = [
        p for p in service["spec"].get("ports") or [] if wanted in (None, (p.get("name", ""), p.get("protocol", "TCP")))
    ]
    if not ports:
        return None
    if service["spec"].get("clusterIP") == "None":
        return tuple(f"0 100 {p['port']} {h}.{base}" for p in ports for h, _ in _endpoints(view, service))
    return tuple(f"0 100 {p['port']} {base}" for p in ports)


def _endpoints(view: View, service: Object) -> Iterator[tuple[str, str]]:
    """(host label, address) of a service's ready endpoints, each address once."""
    meta, seen = service["metadata"], set()
    for s in view.list("endpointslices", meta["namespace"]):
        if (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != meta["name"]:
            continue
        for e in s.get("endpoints") or []:
            for address in e["addresses"] if (e.get("conditions") or {}).get("ready", True) else []:
                if address not in seen:
                    seen.add(address)
                    yield e.get("hostname") or address.replace(".", "-"), address


def _reverse(view: View, ip: str) -> str | None:
    for service in view.list("services"):
        if service["spec"].get("clusterIP") == ip:
            return f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.{DOMAIN}"
    if not any(is_up(p) and ip in pod_ips(p) for p in view.list("pods")):
        return None
    for service in view.list("services"):
        for host, address in _endpoints(view, service):
            if address == ip:
                return f"{host}.{service['metadata']['name']}.{service['metadata']['namespace']}.svc.{DOMAIN}"
    return None
