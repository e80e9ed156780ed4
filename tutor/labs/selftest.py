"""Proves a lab before anyone meets it: each solution passes each stage, each wrong repair fails at the check it names."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

import yaml

from tutor import verify
from tutor.clusters.api import KubeApi
from tutor.clusters.provider import Access, ClusterSpec, Handle, Provider, Role
from tutor.content.models import Lab, LabScript, LabStep
from tutor.errors import InvalidInput, KubetutorError
from tutor.labs import manifests
from tutor.verify import CheckResult, Outcome

Scripts = Mapping[str, LabScript]
Tell = Callable[[str], None]
_MANAGER = "learner"
_SETTLE_S = 120.0


@dataclass(frozen=True)
class ScriptResult:
    """What one script showed. ``ok``: it did what its kind demands."""

    kind: Literal["solution", "wrong"]
    name: str
    ok: bool
    message: str
    seconds: float


class SelfTest:
    """Runs scripts on clusters of one provider.

    :param fresh: a new cluster for each script (cheap ones); otherwise one cluster is put back between scripts.
    """

    def __init__(self, lab: Lab, provider: Provider, *, fresh: bool, tell: Tell) -> None:
        self.lab, self.provider, self.fresh, self.tell = lab, provider, fresh, tell
        self.objects = manifests.objects(lab)
        self._handle: Handle | None = None
        self._touched: dict[str, dict[str, Any]] = {}

    def run(self, solutions: Scripts, wrong: Scripts, only: Sequence[str] = ()) -> list[ScriptResult]:
        """Every script, or those named.

        :raises InvalidInput: a name is none of them.
        """
        unknown = set(only) - set(solutions) - set(wrong)
        if unknown:
            names = ", ".join(sorted({*solutions, *wrong}))
            raise InvalidInput(f"The lab has no script {', '.join(sorted(unknown))}.", cure=f"There are: {names}.")
        results = []
        try:
            for name, script in solutions.items():
                if self._wanted(name, script, only):
                    results.append(self._timed("solution", name, lambda s=script: self._solution(s)))  # type: ignore[misc]
            for name, script in wrong.items():
                if self._wanted(name, script, only):
                    results.append(self._timed("wrong", name, lambda s=script: self._wrong(s, solutions)))  # type: ignore[misc]
        finally:
            self._end()
        return results

    def _wanted(self, name: str, script: LabScript, only: Sequence[str]) -> bool:
        return (not only or name in only) and (not script.providers or self.provider.name in script.providers)

    def _timed(self, kind: Literal["solution", "wrong"], name: str, work: Callable[[], str]) -> ScriptResult:
        self.tell(f"{kind} {name} on {self.provider.name}")
        began = time.monotonic()
        try:
            problem = work()
        except KubetutorError as e:
            problem = str(e)
        message = problem or ("passes every stage" if kind == "solution" else "fails where it must")
        return ScriptResult(kind, name, not problem, message, round(time.monotonic() - began, 2))

    # -- the cluster --------------------------------------------------------------------------------

    def _access(self) -> Access:
        """A cluster that is as the lab's manifests leave it, and proved to enforce policies."""
        if self._handle is None or self.fresh:
            self._end()
            self._handle = self.provider.create(ClusterSpec(uuid4().hex, self.lab.namespaces))
            access = self.provider.access(self._handle, Role.VERIFIER)
            manifests.apply(access, self.objects)
            self._settle(access)
            proof = verify.preflight(self.lab, access)
            if proof.outcome is not Outcome.PASSED:
                raise InvalidInput(f"The preflight did not pass: {proof.message}")
            return access
        access = self.provider.access(self._handle, Role.VERIFIER)
        self._put_back(access)
        return access

    def _end(self) -> None:
        if self._handle is not None:
            self.provider.delete(self._handle)
            self._handle = None

    def _put_back(self, access: Access) -> None:
        """Policies gone, every object of the lab (and the cluster's DNS) as it was."""
        with KubeApi(access) as api:
            for policy in api.list("/apis/networking.k8s.io/v1/networkpolicies")["items"]:
                meta = policy["metadata"]
                api.delete(f"/apis/networking.k8s.io/v1/namespaces/{meta['namespace']}/networkpolicies/{meta['name']}")
            for obj in self.objects:
                meta = obj["metadata"]
                if obj["kind"] in ("Deployment", "Namespace", "ConfigMap"):
                    path = api.kind_of(obj).path(meta.get("namespace", ""), meta["name"])
                    api.request("PUT", path, {**obj, "metadata": dict(meta)})
            for path, original in self._touched.items():
                live = api.get(path)
                if live is not None:
                    original["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
                    api.request("PUT", path, original)
            self._touched.clear()
        self._settle(access)

    def _remember(self, api: KubeApi, path: str, namespace: str) -> None:
        """Keep an object outside the lab before a script changes it."""
        if namespace in self.lab.namespaces or not namespace or path in self._touched:
            return
        original = api.get(path)
        if original is not None:
            self._touched[path] = original

    def _settle(self, access: Access) -> None:
        """Wait until every Deployment has rolled out and the pods of older templates are gone."""
        deadline = time.monotonic() + _SETTLE_S
        with KubeApi(access) as api:
            while time.monotonic() < deadline:
                deployments = api.list("/apis/apps/v1/deployments")["items"]
                pods = [
                    p for p in api.list("/api/v1/pods")["items"] if p["metadata"]["namespace"] in self.lab.namespaces
                ]
                wanted = sum(
                    d["spec"].get("replicas", 1)
                    for d in deployments
                    if d["metadata"]["namespace"] in self.lab.namespaces
                )
                if all(_rolled_out(d) for d in deployments) and len(pods) == wanted:
                    return
                time.sleep(0.02 if self.fresh else 0.5)

    # -- scripts --------------------------------------------------------------------------------------

    def _solution(self, script: LabScript) -> str:
        access = self._access()
        answers: dict[str, str] = {}
        for step in script.steps:
            self._do(access, step)
            answers |= step.answers
            result = verify.run_stage(self.lab, step.stage, access, answers=answers)
            bad = next((c for c in result.checks if c.outcome is not Outcome.PASSED), None)
            if bad is not None:
                return f"stage {step.stage}, {_told(bad)}"
        return ""

    def _wrong(self, script: LabScript, solutions: Scripts) -> str:
        access = self._access()
        step = script.steps[-1]
        stages = [s.id for s in self.lab.stages]
        answers: dict[str, str] = {}
        base = solutions.get(script.starts_from)
        for earlier in base.steps if base else ():
            if stages.index(earlier.stage) < stages.index(script.steps[0].stage):
                self._do(access, earlier)
                answers |= earlier.answers
        for each in script.steps:
            self._do(access, each)
            answers |= each.answers
        result = verify.run_stage(self.lab, step.stage, access, answers=answers)
        found = next((c for c in result.checks if c.check == script.fails_at), None)
        if found is None:
            return f"stage {step.stage} has no check {script.fails_at}"
        if found.outcome is not Outcome.FAILED:
            return f"must fail at {script.fails_at}, but it is {_told(found)}"
        said = "\n".join((found.message, *found.diagnosis))
        return (
            "" if script.says in said else f'{script.fails_at} fails, but does not say "{script.says}": {_told(found)}'
        )

    def _do(self, access: Access, step: LabStep) -> None:
        """Carry out one step as a learner would: apply, patch, delete."""
        with KubeApi(access) as api:
            for text in step.apply:
                for obj in yaml.safe_load_all(text):
                    api.apply(obj, namespace=self.lab.namespaces[0], manager=_MANAGER)
            for change in step.patch:
                path, namespace = _path(api, str(change["target"]))
                self._remember(api, path, namespace)
                api.request("PATCH", path, change["patch"], content_type="application/strategic-merge-patch+json")
            for target in step.delete:
                api.delete(_path(api, target)[0])
        if step.patch:
            self._settle(access)


def _path(api: KubeApi, target: str) -> tuple[str, str]:
    """(URL path, namespace) of ``namespace/kind/name``."""
    namespace, kind, name = target.split("/")
    version = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "NetworkPolicy": "networking.k8s.io/v1"}.get(
        kind, "v1"
    )
    found = api.kind(version, kind)
    if found is None:
        raise InvalidInput(f"{target}: the cluster knows no kind {kind}.")
    return found.path(namespace, name), namespace


def _rolled_out(deployment: Mapping[str, Any]) -> bool:
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(
        current
        and status.get("updatedReplicas", 0)
        == status.get("availableReplicas", 0)
        == status.get("replicas", 0)
        == wanted
    )


def _told(check: CheckResult) -> str:
    lines = "; ".join((check.message, *check.diagnosis[:3]))
    return f"{check.check} {check.outcome.value}: {lines}"
