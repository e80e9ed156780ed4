"""A small cluster by hand: the one in which the outputs in recorded.yaml were recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tutor.kubesim.shell import execute
from tutor.kubesim.view import View

START = datetime(2026, 1, 1, tzinfo=UTC)
Json = dict[str, Any]


def pod(namespace: str, name: str, ip: str, args: Iterable[str] = (), **extra: Any) -> Json:
    """A running pod; without arguments of the workload script it sleeps."""
    words = list(args)
    command = ["sh", "/kubetutor/workload.sh"] if words else ["sleep", "infinity"]
    container = {"name": name, "image": "busybox:1.36", "command": command, "args": words} | extra
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": {"app": name}},
        "spec": {"containers": [container], "nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "startTime": START.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }


def service(namespace: str, name: str, ip: str, ports: list[Json]) -> Json:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": ports}}


def slice_(namespace: str, name: str, ports: list[Json], *ips: str) -> Json:
    """The endpoints of a service."""
    meta = {"name": f"{name}-1", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}}
    endpoints = [{"addresses": [ip], "conditions": {"ready": True}} for ip in ips]
    return {"metadata": meta, "ports": ports, "endpoints": endpoints}


def port(number: int, name: str = "", protocol: str = "TCP") -> Json:
    return {"port": number, "name": name, "protocol": protocol}


DNS_PORTS = [port(53, "dns", "UDP"), port(53, "dns-tcp")]
WEB_ARGS = [
    "listen=8080/TCP:web",
    "call=api=http://api.shop/",
    "call=db=tcp://db.shop:5432",
    "call=nodns=http://nope.shop.svc.cluster.local/",
    "call=closed=tcp://10.244.0.4:81",
    "every=5",
]
DENY = {
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
}
DNS_UDP = {
    "metadata": {"name": "dns", "namespace": "shop"},
    "spec": {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
    },
}
SETUPS: dict[str, tuple[list[Json], bool]] = {
    "open": ([], True),
    "denied": ([DENY], True),
    "udp-only": ([DENY, DNS_UDP], True),
    "no-dns-pods": ([], False),
}


def view(setup: str = "open", *, at: datetime = START, revision: int = 1) -> View:
    """The cluster in one of its recorded states."""
    policies, dns_pods = SETUPS[setup]
    return build(policies, dns_pods=dns_pods, at=at, revision=revision)


def build(
    policies: Iterable[Json] = (),
    *,
    dns_pods: bool = True,
    at: datetime = START,
    revision: int = 1,
    more: Iterable[Json] = (),
) -> View:
    """The cluster with these policies, and more pods."""
    pods = [
        pod("shop", "tools", "10.244.0.4"),
        pod("shop", "web", "10.244.0.5", WEB_ARGS),
        pod("shop", "api", "10.244.0.6", ["listen=9000/TCP:api"]),
        pod("shop", "db", "10.244.0.7", ["listen=5432/TCP"]),
        *more,
    ]
    dns_ips = ["10.244.0.2", "10.244.0.3"] if dns_pods else []
    for i, ip in enumerate(dns_ips):
        name = f"coredns-{i}"
        made = pod("kube-system", name, ip, image="registry.k8s.io/coredns/coredns:v1.12.1", command=[])
        made["metadata"]["labels"] = {"k8s-app": "kube-dns"}
        pods.append(made)
    services = [
        service("shop", "api", "10.96.125.27", [port(80, "p")]),
        service("shop", "db", "10.96.245.28", [port(5432, "p")]),
        service("shop", "direct", "10.96.18.147", [port(9001, "p")]),
        service("shop", "empty", "10.96.248.127", [port(80, "p")]),
        service("shop", "apih", "None", [port(9000, "http")]),
        service("default", "kubernetes", "10.96.0.1", [port(443, "https")]),
        service("kube-system", "kube-dns", "10.96.0.10", DNS_PORTS),
    ]
    slices = [
        slice_("shop", "api", [port(9000, "p")], "10.244.0.6"),
        slice_("shop", "db", [port(5432, "p")], "10.244.0.7"),
        slice_("shop", "direct", [port(9001, "p")], "10.244.0.6"),
        slice_("shop", "apih", [port(9000, "http")], "10.244.0.6"),
        slice_("kube-system", "kube-dns", DNS_PORTS, *dns_ips),
    ]
    node = {"metadata": {"name": "node-1"}, "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.2"}]}}
    namespaces: list[Json] = [{"metadata": {"name": n, "labels": {}}} for n in ("shop", "default", "kube-system")]
    listed: dict[str, list[Json]] = {
        "pods": pods,
        "services": services,
        "endpointslices": slices,
        "networkpolicies": list(policies),
        "nodes": [node],
        "namespaces": namespaces,
    }
    objects = {
        plural: {(o["metadata"].get("namespace", ""), o["metadata"]["name"]): o for o in items}
        for plural, items in listed.items()
    }
    return View(objects, revision, at)


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


async def typed(*chunks: bytes) -> AsyncIterator[bytes]:
    """What somebody types, piece by piece."""
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


def run(
    state: View, *argv: str, name: str = "tools", stdin: AsyncIterator[bytes] | None = None, tty: bool = False
) -> Ran:
    """Run a command in a pod of the shop; no time passes."""
    made = state.get("pods", "shop", name)
    assert made is not None
    written: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}

    async def write(stream: int, data: bytes) -> None:
        written[stream] += data

    container = made["spec"]["containers"][0]
    work = execute(lambda: state, "shop", made, container, list(argv), stdin, tty, write, lambda: START, 0.0)
    code = asyncio.run(work)
    return Ran(code, written[1].decode(), written[2].decode())


def sh(state: View, script: str) -> Ran:
    """Run a script with ``sh -c``."""
    return run(state, "sh", "-c", script)
