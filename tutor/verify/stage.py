"""Runs the checks of one stage, in rounds, until what they see holds still."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from tutor.clusters.api import ApiError, ApiUnreachable, KubeApi
from tutor.clusters.provider import Access
from tutor.content.models import Check, Lab, Stage
from tutor.errors import NotFound
from tutor.verify.canary import canaries, sweep
from tutor.verify.checks import Kind, Question, could_not
from tutor.verify.context import Context
from tutor.verify.flows import Canary, Flows
from tutor.verify.labels import Labels
from tutor.verify.names import NameService
from tutor.verify.probe import Exec, Probe, Prober, kubernetes_exec
from tutor.verify.result import CheckResult, Outcome, StageResult, together
from tutor.verify.untouched import ClusterDns, Workloads
from tutor.verify.world import CannotCheck, World, utc_now

T = TypeVar("T")
logger = logging.getLogger(__name__)
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
_MOST_ROUNDS = 5
_PAUSE_S = (0.1, 0.6, 1.0, 2.0)
"""Pauses before the second and later rounds."""


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

    Rounds of probes are sent until two in a row are equal: enforcement takes its time on a real cluster, and a single
    early look would judge the state before the learner's change. Where enforcement is immediate, one passing round is enough.

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
            checks = tuple(could_not(c, why) for c in stage.checks)
    return StageResult(stage.id, together([c.outcome for c in checks]), checks, started, now())


def _run(
    lab: Lab, stage: Stage, api: KubeApi, exec_: Exec, answers: dict[str, str], now: Callable[[], datetime]
) -> tuple[CheckResult, ...]:
    spaces = {namespace for c in stage.checks for namespace in KINDS[c.kind].canaries(c)}
    with canaries(api, sorted(spaces)) as fresh:
        ctx = Context(lab, World.read(api), Prober(exec_), now, answers, fresh)
        sweep(api, [p for p in ctx.world.objects["pods"] if p["metadata"]["namespace"] in lab.namespaces], now())
        began = time.monotonic()
        rounds = [_round(stage, ctx)]
        while len(rounds) < _MOST_ROUNDS and not _settled(rounds, api):
            time.sleep(_PAUSE_S[min(len(rounds), len(_PAUSE_S)) - 1])
            ctx.refresh(World.read(api))
            rounds.append(_round(stage, ctx))
        results = _agreed(stage, rounds)
        if len(rounds) > 2:
            note = f"It took {time.monotonic() - began:.1f} s and {len(rounds)} rounds of probes."
            results = tuple(replace(c, advice=(*c.advice, note)) if c.evidence else c for c in results)
    return results


def _settled(rounds: Sequence[tuple[CheckResult, ...]], api: KubeApi) -> bool:
    """Whether another round could say anything else."""
    last = rounds[-1]
    if not any(c.evidence for c in last):
        return True  # nothing was sent: the objects alone decided
    if len(rounds) > 1 and _gist(last) == _gist(rounds[-2]):
        return True
    return together([c.outcome for c in last]) is Outcome.PASSED and enforces_at_once(api)


def _gist(results: Sequence[CheckResult]) -> list[tuple[str, Outcome, str]]:
    return [(c.check, c.outcome, c.message) for c in results]


def _agreed(stage: Stage, rounds: Sequence[tuple[CheckResult, ...]]) -> tuple[CheckResult, ...]:
    """The last round, but a check whose outcome still changes is not decided by the round that happened to be last."""
    last = rounds[-1]
    if len(rounds) < _MOST_ROUNDS:
        return last
    return tuple(
        c
        if c.outcome is before.outcome
        else could_not(check, "what the probes show still changes. Check again in a moment", c.evidence)
        for check, c, before in zip(stage.checks, last, rounds[-2], strict=True)
    )


def enforces_at_once(api: KubeApi) -> bool:
    """Whether a change of policies is in force when its write returns. Only the simulated cluster promises that."""
    return api.request("GET", "/version").get("platform") == "simulated"


def _round(stage: Stage, ctx: Context) -> tuple[CheckResult, ...]:
    """One round: every check names its probes, all are sent at once, every check decides."""
    kinds: list[Kind | CheckResult] = []
    probes: list[Probe] = []
    for check in stage.checks:
        kind = KINDS[check.kind](check, ctx)
        planned = _guarded(check, kind.plan)
        kinds.append(planned if isinstance(planned, CheckResult) else kind)
        probes += () if isinstance(planned, CheckResult) else planned
    if probes:
        ctx.send(probes)
    return tuple(
        k if isinstance(k, CheckResult) else _guarded(check, k.decide)
        for check, k in zip(stage.checks, kinds, strict=True)
    )


def _guarded(check: Check, step: Callable[[], T]) -> T | CheckResult:
    """What a check's step gives; when something of ours stands in its way, that result.

    A defect of ours counts as such too: it is logged, and never held against the learner.
    """
    try:
        return step()
    except CannotCheck as e:
        return could_not(check, str(e))
    except Exception:
        logger.exception("check %s broke", check.id)
        return could_not(check, "Kubetutor made a mistake of its own; its log says more")
