"""Checks on objects: labels that traffic cannot show, and things a repair must not touch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from tutor.verify.checks import Kind
from tutor.verify.result import CheckResult
from tutor.verify.world import is_ready

_TEMPLATE_HASH = "pod-template-hash"


class Labels(Kind):
    """Pods carry labels, and will still carry them after the next rollout. ``params``: ``key``, ``values`` by actor."""

    def decide(self) -> CheckResult:
        """Failed for the first actor whose pods lack the label, or would lose it."""
        key, values = str(self.check.params["key"]), self.check.params["values"]
        wrong: list[str] = []
        for actor, value in values.items():
            reason = self._of(actor, key, str(value))
            if reason:
                wrong.append(reason)
        if wrong:
            return self.failed(wrong[0], wrong[1:])
        return self.passed(f"Every workload carries its {key} label on its pods and in its pod template.")

    def _of(self, actor: str, key: str, value: str) -> str:
        entry = next(a for a in self.ctx.lab.actors if a.id == actor)
        where = f"{entry.namespace}/{entry.deployment}"
        deployment = self.ctx.world.get("deployments", entry.namespace, entry.deployment)
        if deployment is None:
            return f"The Deployment {where} is gone. Reset the lab to get it back."
        template = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
        pods = self.ctx.world.pods_of(entry.namespace, entry.deployment)
        carried = [p["metadata"].get("labels", {}).get(key) for p in pods]
        if template.get(key) == value and carried and all(c == value for c in carried):
            return ""
        if template.get(key) == value:
            return f"{where}: the pod template says {key}={value}, but its pods are not replaced yet. Wait for the rollout."
        if carried and all(c == value for c in carried):
            return (
                f"{where}: its running pods carry {key}={value}, but the pod template does not, so the label will vanish "
                "with the next rollout. Put it in spec.template.metadata.labels."
            )
        if (deployment["metadata"].get("labels") or {}).get(key) == value:
            return f"{where}: the label is on the Deployment itself. Selectors of policies see labels on pods only."
        namespace = self.ctx.world.get("namespaces", "", entry.namespace) or {"metadata": {}}
        if key in (namespace["metadata"].get("labels") or {}):
            return f"{where}: the label is on the namespace. A podSelector sees labels on pods only."
        found = template.get(key)
        return f"{where}: its pods need {key}={value}" + (
            f", they have {key}={found}." if found else ", they have no such label."
        )


class Workloads(Kind):
    """The lab's own workloads still run what the lab gave them, and its services still lead to them."""

    def decide(self) -> CheckResult:
        """Failed when a repair works by changing or stopping the application."""
        given = [d for _, text in self.ctx.lab.manifests for d in yaml.safe_load_all(text) if d]
        for obj in given:
            meta = obj["metadata"]
            name = f"{meta.get('namespace')}/{meta['name']}"
            if obj["kind"] == "Deployment":
                reason = self._deployment(obj, name)
            elif obj["kind"] == "Service":
                reason = self._service(obj, name)
            else:
                continue
            if reason:
                return self.failed(
                    f"{reason} A repair changes policies, not the application.",
                    ["Reset the lab to get the application back."],
                )
        return self.passed("The application is what it was: same workloads, same images, same arguments.")

    def _deployment(self, given: Mapping[str, Any], name: str) -> str:
        live = self.ctx.world.get("deployments", given["metadata"]["namespace"], given["metadata"]["name"])
        if live is None:
            return f"The Deployment {name} is gone."
        wanted, found = (d["spec"]["template"]["spec"]["containers"] for d in (given, live))
        for part in ("image", "command", "args"):
            if [c.get(part) for c in wanted] != [c.get(part) for c in found]:
                return f"The {part} of {name} was changed."
        if live["spec"]["template"]["spec"].get("hostNetwork"):
            return f"{name} was moved to its node's network, where no policy applies."
        if live["spec"].get("replicas", 1) < 1:
            return f"{name} was scaled to zero."
        pods = self.ctx.world.pods_of(given["metadata"]["namespace"], given["metadata"]["name"])
        if not any(is_ready(p) for p in pods):
            return f"{name} has no ready pod."
        return ""

    def _service(self, given: Mapping[str, Any], name: str) -> str:
        live = self.ctx.world.get("services", given["metadata"]["namespace"], given["metadata"]["name"])
        if live is None:
            return f"The Service {name} is gone."
        if live["spec"].get("selector") != given["spec"]["selector"]:
            return f"The selector of the Service {name} was changed."
        ports = [[(p["port"], p.get("targetPort")) for p in s["spec"]["ports"]] for s in (given, live)]
        return "" if ports[0] == ports[1] else f"The ports of the Service {name} were changed."


class ClusterDns(Kind):
    """The cluster's name service itself was left alone. ``params``: ``labels`` its pods may carry."""

    def decide(self) -> CheckResult:
        """Failed when a repair bends the name service to fit a policy."""
        allowed = {_TEMPLATE_HASH, *self.check.params.get("labels", ["k8s-app"])}
        dns = self.ctx.dns
        for pod in dns.pods:
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            if pod["spec"].get("hostNetwork"):
                return self.failed(f"The cluster's DNS was changed: {name} was moved to its node's network.", [_LEAVE])
            extra = sorted(set(pod["metadata"].get("labels") or {}) - allowed)
            if extra:
                return self.failed(f"The cluster's DNS was changed: {name} got the label {extra[0]}.", [_LEAVE])
        for policy in self.ctx.world.objects["networkpolicies"]:
            if policy["metadata"]["namespace"] == dns.namespace:
                name = policy["metadata"]["name"]
                return self.failed(
                    f"The cluster's DNS was changed: the policy {name} was put into {dns.namespace}.", [_LEAVE]
                )
        return self.passed("The cluster's name service was left as it is.")


_LEAVE = "Whole clusters lean on it. Select it as it is: by its namespace and its own labels."
