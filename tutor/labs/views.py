"""What the pages and the command line see of a lab: plain frozen values, made from records and content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from tutor.content.models import Check, Choice, Lab, Stage
from tutor.store.labs import CreditRecord, ResultRecord, SessionRecord

PASSED, FAILED, COULD_NOT_CHECK = "passed", "failed", "could-not-check"


@dataclass(frozen=True)
class EvidenceView:
    """One piece of evidence; the fields are those of ``tutor.verify.Evidence``."""

    at: datetime
    kind: str
    source: str
    destination: str
    port: int
    protocol: str
    outcome: str
    expected: str
    control: bool
    detail: str
    decided_by: str
    ms: int


@dataclass(frozen=True)
class ChoiceView:
    """An answer that may be chosen."""

    id: str
    text: str


@dataclass(frozen=True)
class CheckView:
    """One check with its latest verdict. ``outcome`` is passed, failed, could-not-check, or None before the first."""

    id: str
    kind: str
    title: str
    outcome: str | None = None
    message: str = ""
    diagnosis: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    evidence: tuple[EvidenceView, ...] = ()
    choices: tuple[ChoiceView, ...] = ()
    answered: str | None = None


@dataclass(frozen=True)
class StageView:
    """A stage. ``state`` is locked, open, passed, or regressed (earned, and broken now)."""

    id: str
    title: str
    brief_html: str
    momentary: bool
    state: str
    earned_at: datetime | None
    checks: tuple[CheckView, ...]
    checked_at: datetime | None
    auto: bool
    hints_opened: int
    hints: tuple[str, ...] = ()
    """The opened hints as HTML, nudge first."""


@dataclass(frozen=True)
class LabView:
    """A lab of one learner. ``revision`` changes whenever anything shown changed (time left apart)."""

    id: str
    slug: str
    provider: str
    state: str
    reason: str
    deadline: datetime
    seconds_left: int
    stages: tuple[StageView, ...]
    created: datetime
    revision: int


@dataclass(frozen=True)
class ProviderChoice:
    """A kind of cluster the learner may choose."""

    name: str
    title: str
    about: str
    default: bool
    available: bool
    reason: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Standing:
    """All that is recorded of a session, read in one transaction."""

    session: SessionRecord
    credits: Mapping[str, CreditRecord] = field(default_factory=dict)
    results: Mapping[str, ResultRecord] = field(default_factory=dict)
    """What to show of each stage: its newest result; the earning one for a momentary stage."""
    answers: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, int] = field(default_factory=dict)


def lab_view(lab: Lab, standing: Standing, now: datetime) -> LabView:
    """The whole lab."""
    session = standing.session
    left = int((session.deadline - now).total_seconds()) if session.state == "ready" else 0
    return LabView(
        id=session.id,
        slug=session.slug,
        provider=session.provider,
        state=session.state,
        reason=session.reason,
        deadline=session.deadline,
        seconds_left=max(0, left),
        stages=tuple(stage_view(lab, s, standing) for s in lab.stages),
        created=session.created,
        revision=session.revision,
    )


def unlocked_stages(lab: Lab, earned: Mapping[str, object]) -> set[str]:
    """A stage opens when every earlier one was earned; an earned one stays open."""
    opened: set[str] = set()
    for stage in lab.stages:
        opened.add(stage.id)
        if stage.id not in earned:
            break
    return opened | {s.id for s in lab.stages if s.id in earned}


def stage_view(lab: Lab, stage: Stage, standing: Standing) -> StageView:
    """One stage as it stands."""
    credit = standing.credits.get(stage.id)
    result = standing.results.get(stage.id)
    if result is not None and result.generation != standing.session.generation and not stage.momentary:
        result = None if credit is None else result
    state = "open" if stage.id in unlocked_stages(lab, standing.credits) else "locked"
    if credit is not None:
        broken = result is not None and result.outcome == FAILED and not stage.momentary
        state = "regressed" if broken else "passed"
    opened = standing.hints.get(stage.id, 0)
    texts = (stage.hints.nudge, stage.hints.way, stage.hints.answer)[:opened]
    return StageView(
        id=stage.id,
        title=stage.title,
        brief_html=html(stage.brief),
        momentary=stage.momentary,
        state=state,
        earned_at=credit.at if credit else None,
        checks=tuple(_check_view(c, result, standing.answers) for c in stage.checks),
        checked_at=result.at if result else None,
        auto=bool(result and result.auto),
        hints_opened=opened,
        hints=tuple(html(t) for t in texts),
    )


def _check_view(check: Check, result: ResultRecord | None, answers: Mapping[str, str]) -> CheckView:
    found = next((c for c in (result.result.get("checks", []) if result else []) if c.get("check") == check.id), None)
    values: dict[str, Any] = {}
    if found is not None:
        values = {
            "outcome": found["outcome"],
            "message": found.get("message", "") or found.get("skipped_because", ""),
            "diagnosis": tuple(found.get("diagnosis", ())),
            "advice": tuple(found.get("advice", ())),
            "evidence": tuple(evidence_view(e) for e in found.get("evidence", ())),
        }
    answered = answers.get(check.id)
    chosen = chosen_choice(check, answered)
    if check.choices:
        # An answer is judged at once, without sending traffic for the stage's other checks.
        values |= {"outcome": None, "message": ""} if chosen is None else judge(chosen)
    choices = tuple(ChoiceView(c.id, c.text) for c in check.choices)
    return CheckView(check.id, check.kind, check.title, choices=choices, answered=answered, **values)


def chosen_choice(check: Check, answered: str | None) -> Choice | None:
    """The choice an answer names."""
    return next((c for c in check.choices if c.id == answered), None)


def judge(choice: Choice) -> dict[str, Any]:
    """Verdict on an answer."""
    return {"outcome": PASSED if choice.correct else FAILED, "message": choice.explanation}


def evidence_view(raw: Mapping[str, Any]) -> EvidenceView:
    """Evidence as it was recorded."""
    at = raw["at"]
    return EvidenceView(
        at=at if isinstance(at, datetime) else datetime.fromisoformat(str(at).replace("Z", "+00:00")),
        kind=str(raw.get("kind", "observed")),
        source=str(raw.get("source", "")),
        destination=str(raw.get("destination", "")),
        port=int(raw.get("port") or 0),
        protocol=str(raw.get("protocol", "")),
        outcome=str(raw.get("outcome", "")),
        expected=str(raw.get("expected", "")),
        control=bool(raw.get("control", False)),
        detail=str(raw.get("detail", "")),
        decided_by=str(raw.get("decided_by", "")),
        ms=int(raw.get("ms") or 0),
    )


@lru_cache(maxsize=512)
def html(text: str) -> str:
    """An author's Markdown, rendered once."""
    from tutor.content.markdown import render

    return render(text)
