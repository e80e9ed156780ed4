"""Runs the checks of one stage, and the preflight of a new cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tutor.clusters.api import ApiError, ApiUnreachable, KubeApi
from tutor.clusters.provider import Access
from tutor.content.models import Check, Lab, Stage
from tutor.errors import NotFound
from tutor.verify.canary import canaries
from tutor.verify.checks import Canary, Flows, Kind, NameService, Question
from tutor.verify.context import Context, ip_of
from tutor.verify.objects import ClusterDns, Labels, Workloads
from tutor.verify.probe import Exec, Probe, Prober, Seen, kubernetes_exec
from tutor.verify.result import CheckResult, Evidence, Outcome, StageResult, together
from tutor.verify.world import CannotCheck, World

KINDS: dict[str, type[Kind]] = {
    "question": Question,
    "flows": Flows,
    "dns": NameService,
    "canary": Canary,
    "labels": Labels,
    "workloads": Workloads,
    "cluster-dns": ClusterDns,
}
"""What ``kind`` of a check in ``lab.yaml`` may be."""
_MOST_ROUNDS = 4
_PAUSE_S = 0.6
_PREFLIGHT = "kubetutor-preflight"


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def run_stage(
    lab: Lab,
    stage_id: str,
    access: Access,
    *,
    answers: Mapping[str, str],
    now: Callable[[], datetime] = utc_now,
    exec_: Exec | None = None,
) -> StageResult:
    """Verify one stage.

    Rounds of probes are sent until one shows a pass or two in a row are equal: enforcement takes its time on a real
    cluster, and a single early look would judge the state before the learner's change.

    :param answers: check id -> choice id, for questions.
    :param exec_: how commands run in pods; the ``kubernetes`` client unless a test says otherwise.
    :raises NotFound: the lab has no such stage.
    """
    stage = next((s for s in lab.stages if s.id == stage_id), None)
    if stage is None:
        raise NotFound(f"The lab {lab.slug} has no stage {stage_id}.")
    started = now()
    with KubeApi(access) as api:
        try:
            checks = _run(lab, stage, api, exec_ or kubernetes_exec(access), dict(answers), now)
        except (CannotCheck, ApiError, ApiUnreachable) as e:
            why = str(getattr(e, "message", e))
            checks = tuple(_could_not(c, why) for c in stage.checks)
    return StageResult(stage.id, together([c.outcome for c in checks]), checks, started, now())


def _could_not(check: Check, why: str) -> CheckResult:
    return CheckResult(
        check.id, Outcome.COULD_NOT_CHECK, f"Could not be checked: {why.rstrip('.')}. Nothing is held against you."
    )


def _run(
    lab: Lab, stage: Stage, api: KubeApi, exec_: Exec, answers: dict[str, str], now: Callable[[], datetime]
) -> tuple[CheckResult, ...]:
    spaces = {str(c.params["namespace"]) for c in stage.checks if c.kind == "canary"}
    with canaries(api, sorted(spaces)) as fresh:
        ctx = Context(lab, World.read(api), Prober(exec_), now, answers, fresh)
        before: tuple[CheckResult, ...] = ()
        began = time.monotonic()
        for number in range(1, _MOST_ROUNDS + 1):
            results = _round(stage, ctx)
            settled = [(c.check, c.outcome, c.message) for c in results] == [
                (c.check, c.outcome, c.message) for c in before
            ]
            if settled or together([c.outcome for c in results]) is Outcome.PASSED:
                break
            if not any(c.evidence for c in results):
                break  # nothing was sent: another round would say the same
            before = results
            if number < _MOST_ROUNDS:
                time.sleep(_PAUSE_S if number > 1 else 0.05)
                ctx.world = World.read(api)
        waited = time.monotonic() - began
        if number > 2:
            note = f"It took {waited:.1f} s and {number} rounds of probes until two rounds agreed."
            results = tuple(replace(c, advice=(*c.advice, note)) if c.evidence else c for c in results)
    return results


def _round(stage: Stage, ctx: Context) -> tuple[CheckResult, ...]:
    """One round: every check names its probes, all are sent at once, every check decides."""
    kinds: list[Kind | CheckResult] = []
    probes: list[Probe] = []
    for check in stage.checks:
        kind = KINDS[check.kind](check, ctx)
        try:
            probes += kind.plan()
            kinds.append(kind)
        except CannotCheck as e:
            kinds.append(_could_not(check, str(e)))
    if probes:
        ctx.send(probes)
    out = []
    for check, kind_ in zip(stage.checks, kinds, strict=True):
        try:
            out.append(kind_ if isinstance(kind_, CheckResult) else kind_.decide())
        except CannotCheck as e:
            out.append(_could_not(check, str(e)))
    return tuple(out)


# -- preflight --------------------------------------------------------------------------------------------


def preflight(
    lab: Lab, access: Access, *, now: Callable[[], datetime] = utc_now, exec_: Exec | None = None
) -> CheckResult:
    """Prove that this cluster enforces policies before anything is taught on it.

    Two fresh pods in a namespace of the verifier's own: a connection that works must stop working once a deny selects the
    far end. Not proved means the lab stops; it never means "passed".
    """
    with KubeApi(access) as api:
        try:
            return _preflight(api, exec_ or kubernetes_exec(access), now)
        except (CannotCheck, ApiError, ApiUnreachable) as e:
            return CheckResult(
                "preflight", Outcome.COULD_NOT_CHECK, f"Enforcement could not be proved: {getattr(e, 'message', e)}"
            )
        finally:
            _remove(api)


def _preflight(api: KubeApi, exec_: Exec, now: Callable[[], datetime]) -> CheckResult:
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _PREFLIGHT}}, namespace="", manager="kubetutor"
    )
    _service_account(api)
    with canaries(api, [_PREFLIGHT]) as first, canaries(api, [_PREFLIGHT]) as second:
        a, b = first[_PREFLIGHT], second[_PREFLIGHT]
        prober = Prober(exec_)
        probe = Probe("tcp", a, ip_of(b), 8080)
        before = _until(prober, probe, Seen.OPEN)
        if before is not Seen.OPEN:
            return CheckResult(
                "preflight",
                Outcome.COULD_NOT_CHECK,
                f"Two fresh pods cannot talk to each other ({before.value}), so no test would mean anything.",
            )
        api.apply(_deny(), namespace=_PREFLIGHT, manager="kubetutor")
        after = _until(prober, probe, Seen.TIMEOUT)
        own = prober.run([Probe("tcp", b, ip_of(b), 8080)])[0].seen
    evidence = tuple(
        Evidence(now(), "observed", "a fresh pod", "another fresh pod", 8080, "TCP", seen.value, expected.value)
        for seen, expected in ((before, Seen.OPEN), (after, Seen.TIMEOUT))
    )
    if after is Seen.TIMEOUT and own is Seen.OPEN:
        return CheckResult("preflight", Outcome.PASSED, "This cluster enforces NetworkPolicy.", evidence=evidence)
    if after is Seen.OPEN:
        text = (
            "This cluster stores NetworkPolicy but does not enforce it: its network plug-in lets everything through. "
            "Use a plug-in that enforces policies (kind does since 0.24), or the simulated cluster."
        )
        return CheckResult("preflight", Outcome.COULD_NOT_CHECK, text, evidence=evidence)
    return CheckResult(
        "preflight",
        Outcome.COULD_NOT_CHECK,
        "Enforcement could not be proved: the probes gave no clear answer.",
        evidence=evidence,
    )


def _until(prober: Prober, probe: Probe, wanted: Seen) -> Seen:
    """Send until it ends as wanted; enforcement may take a moment."""
    seen = Seen.BROKEN
    for _ in range(5):
        seen = prober.run([probe])[0].seen
        if seen is wanted:
            return seen
        time.sleep(0.2)
    return seen


def _service_account(api: KubeApi) -> None:
    """A real cluster makes a namespace's default account a moment after the namespace; pods need it."""
    for _ in range(100):
        if api.get(f"/api/v1/namespaces/{_PREFLIGHT}/serviceaccounts/default") is not None:
            return
        time.sleep(0.05)
    raise CannotCheck("a new namespace got no service account")


def _deny() -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": _PREFLIGHT},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def _remove(api: KubeApi) -> None:
    try:
        api.delete(f"/api/v1/namespaces/{_PREFLIGHT}")
    except (ApiError, ApiUnreachable) as e:
        # Left behind it harms nobody; the next preflight uses it again and removes it.
        import logging

        logging.getLogger(__name__).warning("the preflight namespace could not be removed: %s", e)
