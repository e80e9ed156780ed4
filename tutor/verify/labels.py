"""The check on labels: traffic cannot show whether they outlive a rollout."""

from __future__ import annotations

from tutor.verify.checks import Kind
from tutor.verify.result import CheckResult


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
