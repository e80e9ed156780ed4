"""What a cluster holds when it is new: a node, the system namespaces, CoreDNS and its service."""

from __future__ import annotations

import copy
from typing import Any

from tutor.kubesim import controllers, defaults
from tutor.kubesim.cluster import Transaction, stamp
from tutor.kubesim.relations import NODE, NODE_IP
from tutor.kubesim.schema import VERSION

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def fill(t: Transaction) -> None:
    """Stage the content of a new cluster."""
    for name in NAMESPACES:
        t.put("namespaces", namespace(name))
    t.put("nodes", _node(stamp(t.now)))
    controllers.settle(t)
    for plural, obj in (
        ("services", _service("kubernetes", "default", "10.96.0.1", None, [("https", 443, 6443, "TCP")])),
        ("services", _service("kube-dns", "kube-system", "10.96.0.10", {"k8s-app": "kube-dns"}, _DNS_PORTS)),
        ("deployments", _coredns()),
    ):
        defaults.apply(plural, obj)
        t.put(plural, obj)
    controllers.settle(t)


def namespace(name: str) -> dict[str, Any]:
    """A namespace as the API server stores it."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _node(now: str) -> dict[str, Any]:
    name = NODE
    condition = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node-role.kubernetes.io/control-plane": "",
            },
        },
        "spec": {"podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"]},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": NODE_IP},
                {"type": "Hostname", "address": name},
            ],
            "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "conditions": [
                condition
                | {
                    "type": "Ready",
                    "status": "True",
                    "reason": "KubeletReady",
                    "message": "this node is simulated: it runs no containers",
                }
            ],
            "nodeInfo": {
                "kubeletVersion": VERSION,
                "kubeProxyVersion": VERSION,
                "osImage": "Kubetutor simulated node",
                "kernelVersion": "simulated",
                "containerRuntimeVersion": "simulated://1.0",
                "architecture": "amd64",
                "operatingSystem": "linux",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    }


_DNS_PORTS = [("dns", 53, 53, "UDP"), ("dns-tcp", 53, 53, "TCP"), ("metrics", 9153, 9153, "TCP")]


def _service(
    name: str, ns: str, ip: str, selector: dict[str, str] | None, ports: list[tuple[str, int, int, str]]
) -> dict[str, Any]:
    labels = (
        {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true"}
        if name == "kube-dns"
        else {"component": "apiserver"}
    )
    spec: dict[str, Any] = {
        "clusterIP": ip,
        "clusterIPs": [ip],
        "ports": [{"name": n, "port": p, "targetPort": t, "protocol": proto} for n, p, t, proto in ports],
    }
    if selector:
        spec["selector"] = selector
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": ns, "labels": labels},
        "spec": spec,
    }


def _coredns() -> dict[str, Any]:
    labels = {"k8s-app": "kube-dns"}
    container = {
        "name": "coredns",
        "image": "registry.k8s.io/coredns/coredns:v1.12.1",
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system", "labels": copy.copy(labels), "generation": 1},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": copy.copy(labels)},
            "template": {
                "metadata": {"labels": copy.copy(labels)},
                "spec": {"containers": [container], "dnsPolicy": "Default"},
            },
        },
    }
