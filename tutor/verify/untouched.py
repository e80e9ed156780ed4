"""Checks on what a repair must leave alone: the application, and the cluster's own name service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tutor.clusters.api import documents
from tutor.verify.checks import Kind
from tutor.verify.result import CheckResult
from tutor.verify.world import CannotCheck, Object, is_ready

_TEMPLATE_HASH = "pod-template-hash"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_REVISION = "deployment.kubernetes.io/revision"
_PORT_FIELDS = ("port", "targetPort")
_USUAL_DNS_LABELS = frozenset({"k8s-app", _TEMPLATE_HASH})
_LEAVE = "Whole clusters lean on it. Select it as it is: by its namespace and its own labels."


class Workloads(Kind):
    """The lab's own workloads still run what the lab gave them, and its services still lead to them."""

    def decide(self) -> CheckResult:
        """Failed when a repair works by changing or stopping the application."""
        for obj in (d for _, text in self.ctx.lab.manifests for d in documents(text)):
            reason = self._changed(obj)
            if reason:
                text = f"{reason} A repair changes policies, not the application."
                return self.failed(text, ["Reset the lab to get the application back."])
        return self.passed("The application is what it was: same workloads, same images, same arguments.")

    def _changed(self, given: Object) -> str:
        namespace, name = given["metadata"].get("namespace", ""), given["metadata"]["name"]
        match given["kind"]:
            case "Deployment":
                live = self.ctx.world.get("deployments", namespace, name)
                if live is None:
                    return f"The Deployment {namespace}/{name} is gone."
                return _deployment(given, live, f"{namespace}/{name}") or self._pods(given, f"{namespace}/{name}")
            case "Service":
                return _service(given, self.ctx.world.get("services", namespace, name), f"{namespace}/{name}")
            case "ConfigMap":
                live = self.ctx.world.get("configmaps", namespace, name)
                same = live is not None and live.get("data") == given.get("data")
                return "" if same else f"The ConfigMap {namespace}/{name} was changed."
        return ""

    def _pods(self, given: Object, name: str) -> str:
        pods = self.ctx.world.pods_of(given["metadata"]["namespace"], given["metadata"]["name"])
        if not any(is_ready(p) for p in pods):
            return f"{name} has no ready pod."
        for pod in pods:
            reason = _containers(given["spec"]["template"]["spec"], pod["spec"], f"the pod {pod['metadata']['name']}")
            if reason:
                return reason
        return ""


def _deployment(given: Object, live: Object, name: str) -> str:
    wanted, found = given["spec"]["template"], live["spec"]["template"]
    reason = _containers(wanted["spec"], found["spec"], name)
    if reason:
        return reason
    labels = (found.get("metadata") or {}).get("labels") or {}
    for key, value in wanted["metadata"]["labels"].items():
        if labels.get(key) != value:
            return f"The label {key}={value} of {name} was changed."
    return f"{name} was scaled to zero." if live["spec"].get("replicas", 1) < 1 else ""


def _containers(wanted: Mapping[str, Any], found: Mapping[str, Any], name: str) -> str:
    """What differs between the pod specification the lab gave and one that runs."""
    for part in ("image", "command", "args"):
        if [c.get(part) for c in wanted["containers"]] != [c.get(part) for c in found["containers"]]:
            return f"The {part} of {name} was changed."
    if found.get("initContainers"):
        return f"{name} got another container."
    if found.get("hostNetwork"):
        return f"{name} was moved to its node's network, where no policy applies."
    if found.get("hostAliases") or found.get("dnsConfig") or found.get("dnsPolicy", "ClusterFirst") != "ClusterFirst":
        return f"The way {name} resolves names was changed: it no longer asks the cluster's name service alone."
    return ""


def _service(given: Object, live: Object | None, name: str) -> str:
    if live is None:
        return f"The Service {name} is gone."
    if live["spec"].get("selector") != given["spec"]["selector"]:
        return f"The selector of the Service {name} was changed."
    ports = [[tuple(p.get(f) for f in _PORT_FIELDS) for p in s["spec"]["ports"]] for s in (given, live)]
    return "" if ports[0] == ports[1] else f"The ports of the Service {name} were changed."


class ClusterDns(Kind):
    """The cluster's name service itself was left alone.

    What it was before is read from the cluster: the newest replica set of its Deployment that is older than the lab.
    """

    def decide(self) -> CheckResult:
        """Failed when a repair bends the name service to fit a policy."""
        reason = self._changed()
        if reason:
            return self.failed(f"The cluster's DNS was changed: {reason}.", [_LEAVE])
        return self.passed("The cluster's name service was left as it is.")

    def _changed(self) -> str:
        world, dns = self.ctx.world, self.ctx.find_dns()
        if dns.cached:
            return ""
        for policy in world.objects["networkpolicies"]:
            if policy["metadata"]["namespace"] == dns.namespace:
                return f"the policy {policy['metadata']['name']} was put into {dns.namespace}"
        deployment = self._deployment(dns.namespace, dns.service)
        if deployment is not None:
            name = deployment["metadata"]["name"]
            if deployment["spec"].get("replicas", 1) < 1:
                return f"the Deployment {name} was scaled to zero"
            reason = self._template(deployment)
            if reason:
                return f"{reason} of the Deployment {name}"
        if not dns.pods:
            raise CannotCheck(f"no ready pod stands behind the cluster's name service {dns.namespace}/{dns.service}")
        return self._pods(dns.pods)

    def _deployment(self, namespace: str, service: str) -> Object | None:
        """The Deployment whose pods the Service selects."""
        found = self.ctx.world.get("services", namespace, service)
        selector = (found or {"spec": {}})["spec"].get("selector") or {}
        for deployment in self.ctx.world.objects["deployments"]:
            labels = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
            if deployment["metadata"]["namespace"] == namespace and selector and selector.items() <= labels.items():
                return deployment
        return None

    def _template(self, deployment: Object) -> str:
        """What of the pod template differs from the one before the lab."""
        baseline = self._before(deployment)
        if baseline is None:
            return ""
        old, new = (_comparable(o["spec"]["template"]) for o in (baseline, deployment))
        for key in sorted(set(new["labels"]) ^ set(old["labels"])):
            return f"the pods got the label {key}" if key in new["labels"] else f"the pods lost the label {key}"
        return "" if old == new else "the pod template was changed"

    def _before(self, deployment: Object) -> Object | None:
        """The replica set in force when the lab's namespaces were made; None when nothing tells."""
        spaces = [self.ctx.world.get("namespaces", "", n) for n in self.ctx.lab.namespaces]
        made = [str(s["metadata"]["creationTimestamp"]) for s in spaces if s is not None]
        sets = self.ctx.world.sets_of(deployment)
        older = [r for r in sets if made and str(r["metadata"]["creationTimestamp"]) < min(made)]
        if older:
            return max(older, key=lambda r: (str(r["metadata"]["creationTimestamp"]), _revision(r)))
        # Made in the same second as the lab (a simulated cluster): the first one is what the cluster came with.
        return min(sets, key=_revision, default=None)

    def _pods(self, pods: Sequence[Object]) -> str:
        for pod in pods:
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            if pod["spec"].get("hostNetwork"):
                return f"{name} was moved to its node's network"
            owner = self.ctx.world.owner_of(pod)
            own = ((owner or {}).get("spec") or {}).get("template", {}).get("metadata", {}).get("labels")
            usual = _USUAL_DNS_LABELS if own is None else frozenset(own) | {_TEMPLATE_HASH}
            extra = sorted(set(pod["metadata"].get("labels") or {}) - usual)
            if extra:
                return f"{name} got the label {extra[0]}"
        return ""


def _revision(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(_REVISION, "0"))


def _comparable(template: Mapping[str, Any]) -> dict[str, Any]:
    """A pod template without what a restart or the controller adds."""
    meta = template.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != _TEMPLATE_HASH}
    notes = {k: v for k, v in (meta.get("annotations") or {}).items() if k != _RESTARTED}
    return {"labels": labels, "annotations": notes, "spec": template["spec"]}
