"""What the cluster holds at the moment of a check, read once through its API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tutor.clusters.api import ApiError, ApiUnreachable, KubeApi
from tutor.content.models import Lab
from tutor.policy import Cluster, ContainerPort, Pod, Protocol

CANARY = "kubetutor-canary-"
"""Names of the verifier's own pods begin like this; watchers leave them alone."""
_READS = {
    "namespaces": "/api/v1/namespaces",
    "pods": "/api/v1/pods",
    "services": "/api/v1/services",
    "networkpolicies": "/apis/networking.k8s.io/v1/networkpolicies",
    "deployments": "/apis/apps/v1/deployments",
    "replicasets": "/apis/apps/v1/replicasets",
    "configmaps": "/api/v1/configmaps",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
}

Object = Mapping[str, Any]


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class CannotCheck(Exception):
    """Something of ours stands in the way of a verdict; the message is for the learner and says that it is not theirs."""


@dataclass(frozen=True)
class World:
    """Every object a check may need, by plural."""

    objects: Mapping[str, tuple[Object, ...]]
    policies: Cluster

    @classmethod
    def read(cls, api: KubeApi) -> World:
        """Read the cluster; a passing fault of its API is tried again.

        :raises CannotCheck: the API does not answer.
        """
        found = {plural: tuple(_list(api, path)) for plural, path in _READS.items()}
        spaces = {n["metadata"]["name"]: n["metadata"].get("labels") or {} for n in found["namespaces"]}
        pods = [policy_pod(p) for p in found["pods"] if is_up(p)]
        return cls(found, Cluster.build(spaces, pods, found["networkpolicies"]))

    def pods_of(self, namespace: str, deployment: str) -> list[Object]:
        """Pods that a Deployment owns through its replica sets: labels play no part, the learner may change them."""
        owner = self.get("deployments", namespace, deployment)
        if owner is None:
            return []
        sets = {r["metadata"]["uid"] for r in self.sets_of(owner)}
        return [p for p in self.objects["pods"] if _owned_by(p, sets) and not p["metadata"].get("deletionTimestamp")]

    def sets_of(self, deployment: Object) -> list[Object]:
        """The replica sets of a Deployment, those of earlier rollouts too."""
        return [r for r in self.objects["replicasets"] if _owned_by(r, {deployment["metadata"]["uid"]})]

    def owner_of(self, pod: Object) -> Object | None:
        """The replica set a pod belongs to."""
        uids = {r.get("uid") for r in pod["metadata"].get("ownerReferences") or []}
        return next((r for r in self.objects["replicasets"] if r["metadata"]["uid"] in uids), None)

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object, or None."""
        return next(
            (
                o
                for o in self.objects[plural]
                if (o["metadata"].get("namespace", ""), o["metadata"]["name"]) == (namespace, name)
            ),
            None,
        )

    def policy_pod(self, pod: Object) -> Pod | None:
        """The pod as the policy engine knows it."""
        return self.policies.pods.get(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")


def _owned_by(obj: Object, uids: set[str]) -> bool:
    return any(r.get("uid") in uids for r in obj["metadata"].get("ownerReferences") or [])


def _list(api: KubeApi, path: str) -> list[Object]:
    for attempt in range(3):
        try:
            items: list[Object] = api.list(path)["items"]
            return items
        except (ApiError, ApiUnreachable) as e:
            # A passing fault: reading again can hide nothing, for a read changes nothing.
            if attempt == 2:
                raise CannotCheck(
                    f"The cluster's API did not answer: {e.message} Nothing is held against you; check again in a moment."
                ) from e
            time.sleep(0.2 * (attempt + 1))
    raise AssertionError("unreachable")


def is_up(pod: Object) -> bool:
    """Whether a pod has an address and has not ended."""
    status = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in ("Succeeded", "Failed")


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready and not going away."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def policy_pod(pod: Object) -> Pod:
    """A pod object as the policy engine sees it."""
    status = pod.get("status") or {}
    ips = tuple(i["ip"] for i in status.get("podIPs") or []) or (status["podIP"],)
    ports = [
        ContainerPort(p.get("name", ""), int(p["containerPort"]), Protocol(p.get("protocol", "TCP")))
        for c in pod["spec"].get("containers") or []
        for p in c.get("ports") or []
    ]
    hosts = tuple(i["ip"] for i in status.get("hostIPs") or []) or tuple(filter(None, [status.get("hostIP")]))
    meta = pod["metadata"]
    return Pod(
        meta["namespace"],
        meta["name"],
        meta.get("labels") or {},
        ips,
        tuple(ports),
        pod["spec"].get("nodeName", ""),
        hosts,
        bool(pod["spec"].get("hostNetwork")),
    )


@dataclass(frozen=True)
class Dns:
    """The cluster's name service as it was found: never assumed.

    :param address: what pods have in their resolv.conf.
    :param service: its name; empty when pods ask a cache on their node.
    :param pods: the ready pods that answer behind it.
    :param port: the pods' own port.
    """

    address: str
    namespace: str
    service: str
    pods: tuple[Object, ...]
    port: int = 53

    @property
    def cached(self) -> bool:
        """Whether pods ask a cache on their own node and no Service."""
        return not self.service


def nameserver_of(resolv_conf: str) -> str:
    """The first name server of a resolv.conf.

    :raises CannotCheck: it names none.
    """
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            return words[1]
    raise CannotCheck("the pods' resolv.conf names no name server")


def find_dns(world: World, address: str) -> Dns:
    """What stands behind the address that pods ask: a Service and its ready pods, or a cache on the node.

    :raises CannotCheck: nothing in this cluster is known to have that address.
    """
    for service in world.objects["services"]:
        if address not in (service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP")]):
            continue
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        slices = [s for s in world.objects["endpointslices"] if _belongs(s, namespace, name)]
        ready = {
            (e["targetRef"]["namespace"], e["targetRef"]["name"])
            for s in slices
            for e in s.get("endpoints") or []
            if e.get("targetRef") and (e.get("conditions") or {}).get("ready", True)
        }
        pods = tuple(p for p in world.objects["pods"] if (p["metadata"]["namespace"], p["metadata"]["name"]) in ready)
        return Dns(address, namespace, name, pods, _pod_port(service, slices))
    caches = tuple(p for p in world.objects["pods"] if is_up(p) and p["status"]["podIP"] == address)
    if caches or address.startswith("169.254."):
        return Dns(address, "kube-system", "", caches)
    raise CannotCheck(f"the pods' name server {address} is no Service of this cluster")


def _belongs(slice_: Object, namespace: str, service: str) -> bool:
    meta = slice_["metadata"]
    labels = meta.get("labels") or {}
    return bool(meta["namespace"] == namespace and labels.get("kubernetes.io/service-name") == service)


def _pod_port(service: Object, slices: list[Object]) -> int:
    """The port behind the Service's port 53 for UDP: rules see this one."""
    name = next(
        (
            p.get("name", "")
            for p in service["spec"].get("ports") or []
            if p["port"] == 53 and p.get("protocol") == "UDP"
        ),
        None,
    )
    found = [p["port"] for s in slices for p in s.get("ports") or [] if p.get("name", "") == name and p.get("port")]
    return int(found[0]) if found else 53


def lab_actor(lab: Lab, world: World, actor: str) -> Object:
    """The ready pod of an actor.

    :raises CannotCheck: it has none right now.
    """
    entry = next(a for a in lab.actors if a.id == actor)
    pods = [p for p in world.pods_of(entry.namespace, entry.deployment) if is_ready(p)]
    if not pods:
        raise CannotCheck(f"The workload {entry.namespace}/{entry.deployment} has no ready pod right now.")
    return max(pods, key=lambda p: str(p["metadata"]["creationTimestamp"]))
