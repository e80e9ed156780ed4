"""What happens to a packet: service translation, then the policy engine, then whoever listens.

The order is that of a real cluster (kube-proxy translates first, the network plug-in judges pod addresses), so a rule that
names a Service's port or its ClusterIP fails here as it does there.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from enum import StrEnum

from tutor.kubesim import images
from tutor.kubesim.view import Object, View
from tutor.policy import Cluster, ContainerPort, Endpoint, External, Pod, Protocol, Verdict


class Outcome(StrEnum):
    """How a connection attempt ends."""

    OPEN = "open"
    REFUSED = "refused"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Connection:
    """The end of one attempt. ``destination`` is the pod reached (or meant), ``port`` its own port."""

    outcome: Outcome
    destination: Object | None = None
    port: int = 0
    verdict: Verdict | None = None
    listener: images.Listener | None = None


def policy_cluster(view: View) -> Cluster:
    """The view's policies and pods, compiled once for each state."""
    if "policy" not in view.cache:
        namespaces = {o["metadata"]["name"]: o["metadata"].get("labels") or {} for o in view.list("namespaces")}
        node_ips = {n["metadata"]["name"]: _node_ips(n) for n in view.list("nodes")}
        pods = [policy_pod(p, node_ips) for p in view.list("pods") if is_up(p)]
        view.cache["policy"] = Cluster.build(namespaces, pods, view.list("networkpolicies"))
        view.cache["by-ip"] = {ip: p for p in view.list("pods") if is_up(p) and not _host(p) for ip in pod_ips(p)}
        view.cache["services"] = {s["spec"].get("clusterIP"): s for s in view.list("services")}
        view.cache["nodes"] = {ip: name for name, ips in node_ips.items() for ip in ips}
    cluster: Cluster = view.cache["policy"]
    return cluster


def forget(view: View) -> None:
    """Drop what :func:`policy_cluster` keeps for a state that nobody will ask about again soon."""
    for key in ("policy", "by-ip", "services", "nodes"):
        view.cache.pop(key, None)


def is_up(pod: Object) -> bool:
    """Whether a pod has an address and has not ended."""
    status = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in ("Succeeded", "Failed")


def _host(pod: Object) -> bool:
    return bool(pod["spec"].get("hostNetwork"))


def _node_ips(node: Object) -> tuple[str, ...]:
    return tuple(a["address"] for a in (node.get("status") or {}).get("addresses") or [] if a["type"] == "InternalIP")


def pod_ips(pod: Object) -> tuple[str, ...]:
    """Every address of a pod."""
    status = pod.get("status") or {}
    return tuple(i["ip"] for i in status.get("podIPs") or []) or ((status["podIP"],) if status.get("podIP") else ())


def policy_pod(pod: Object, node_ips: dict[str, tuple[str, ...]]) -> Pod:
    """A pod object as the policy engine sees it."""
    ports = [
        ContainerPort(p.get("name", ""), int(p["containerPort"]), Protocol(p.get("protocol", "TCP")))
        for c in pod["spec"].get("containers") or []
        for p in c.get("ports") or []
    ]
    node = pod["spec"].get("nodeName", "")
    meta = pod["metadata"]
    return Pod(
        meta["namespace"],
        meta["name"],
        meta.get("labels") or {},
        pod_ips(pod),
        tuple(ports),
        node,
        node_ips.get(node, ()),
        _host(pod),
    )


def endpoints(view: View, service: Object, port: int, protocol: str) -> list[tuple[str, int]]:
    """(pod address, pod port) of the ready backends of one service port."""
    meta = service["metadata"]
    entry = next(
        (p for p in service["spec"].get("ports") or [] if p["port"] == port and p.get("protocol", "TCP") == protocol),
        None,
    )
    if entry is None:
        return []
    found = []
    for s in view.list("endpointslices", meta["namespace"]):
        if (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != meta["name"]:
            continue
        number = next((p["port"] for p in s.get("ports") or [] if p.get("name", "") == entry.get("name", "")), None)
        for e in s.get("endpoints") or []:
            if number is not None and (e.get("conditions") or {}).get("ready", True):
                found += [(address, int(number)) for address in e["addresses"]]
    return found


def connect(view: View, source: Object, ip: str, port: int, protocol: str = "TCP") -> Connection:
    """One new connection (or datagram exchange) from a pod.

    :param ip: the address the client used: a pod's, a service's or any other.
    """
    cluster = policy_cluster(view)
    service = view.cache["services"].get(ip) if ip else None
    service_port: int | None = None
    if service is not None:
        backends = endpoints(view, service, port, protocol)
        if not backends:  # kube-proxy rejects what has no endpoint; an unknown port of a service is dropped
            known = any(
                p["port"] == port and p.get("protocol", "TCP") == protocol for p in service["spec"].get("ports") or []
            )
            return Connection(Outcome.REFUSED if known else Outcome.TIMEOUT)
        seed = f"{source['metadata']['uid']}/{ip}/{view.revision}"
        service_port = port
        ip, port = backends[int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) % len(backends)]
    if _is_loopback(ip):
        return _answer(source, port, protocol, None)
    target = view.cache["by-ip"].get(ip)
    own = cluster.pods.get(f"{source['metadata']['namespace']}/{source['metadata']['name']}")
    if own is None:
        return Connection(Outcome.TIMEOUT)
    far: Endpoint = External(ip, view.cache["nodes"].get(ip, ""))
    if target is not None:
        far = cluster.pods[f"{target['metadata']['namespace']}/{target['metadata']['name']}"]
    verdict = cluster.decide(own, far, port, Protocol(protocol), service_port=service_port)
    if verdict.allowed is False:
        return Connection(Outcome.TIMEOUT, target, port, verdict)
    if target is None:
        node = isinstance(far, External) and far.node
        return Connection(Outcome.REFUSED if node else Outcome.TIMEOUT, None, port, verdict)
    return _answer(target, port, protocol, verdict)


def _is_loopback(ip: str) -> bool:
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False


def _answer(target: Object, port: int, protocol: str, verdict: Verdict | None) -> Connection:
    for process in images.of_pod(target):
        for listener in process.listeners:
            if (listener.port, listener.protocol) == (port, protocol):
                return Connection(Outcome.OPEN, target, port, verdict, listener)
    return Connection(Outcome.REFUSED, target, port, verdict)
