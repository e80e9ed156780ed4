"""Lab sessions and what is recorded of them: queries and frozen rows. Callers open the transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tutor.store.lab_tables import LabAnswerRow, LabCreditRow, LabEventRow, LabHintRow, LabResultRow, LabSessionRow

State = Literal["requested", "starting", "ready", "failed", "closing", "closed", "expired"]
OPEN: tuple[State, ...] = ("requested", "starting", "ready", "failed")
"""At most one session of a learner and lab is in one of these: a unique index holds it."""
DRIVEN: tuple[State, ...] = ("requested", "starting", "closing")
"""Somebody must be at work on these; without a living lease the worker takes them up."""


@dataclass(frozen=True)
class SessionRecord:
    """A session as it stood in one transaction."""

    id: str
    learner: str
    slug: str
    provider: str
    state: State
    reason: str
    ending: str
    handle: Mapping[str, Any] | None
    generation: int
    revision: int
    lease_owner: str
    lease_until: datetime | None
    heartbeat: datetime
    deadline: datetime
    created: datetime
    ready_at: datetime | None
    closed_at: datetime | None
    content_digest: str


@dataclass(frozen=True)
class ResultRecord:
    """A recorded verification."""

    id: int
    session: str
    stage: str
    generation: int
    outcome: str
    result: Mapping[str, Any]
    auto: bool
    at: datetime


@dataclass(frozen=True)
class CreditRecord:
    """A stage that was earned, and the result that earned it."""

    session: str
    stage: str
    slug: str
    result: int
    at: datetime


@dataclass(frozen=True)
class EventRecord:
    """One thing that happened to a session."""

    kind: str
    detail: str
    at: datetime


_SESSION_FIELDS = tuple(SessionRecord.__dataclass_fields__)


def _session(row: LabSessionRow) -> SessionRecord:
    return SessionRecord(**{f: getattr(row, f) for f in _SESSION_FIELDS})


def _result(row: LabResultRow) -> ResultRecord:
    return ResultRecord(row.id, row.session, row.stage, row.generation, row.outcome, row.result, row.auto, row.at)


# -- sessions ------------------------------------------------------------------------------------


def insert_open(
    tx: Session, *, id_: str, learner: str, slug: str, provider: str, now: datetime, deadline: datetime, digest: str
) -> SessionRecord | None:
    """A new session in state ``requested``; None when this learner has an open one of this lab (a double click)."""
    row = LabSessionRow(
        id=id_,
        learner=learner,
        slug=slug,
        provider=provider,
        state="requested",
        reason="",
        ending="closed",
        handle=None,
        generation=0,
        revision=1,
        lease_owner="",
        heartbeat=now,
        deadline=deadline,
        created=now,
        content_digest=digest,
    )
    try:
        with tx.begin_nested():
            tx.add(row)
            tx.flush()
    except IntegrityError:
        return None
    return _session(row)


def get(tx: Session, id_: str) -> SessionRecord | None:
    """One session."""
    row = tx.get(LabSessionRow, id_, populate_existing=True)
    return _session(row) if row else None


def find_open(tx: Session, learner: str, slug: str) -> SessionRecord | None:
    """The session of this learner and lab that is not at its end, failed ones included."""
    where = (LabSessionRow.learner == learner, LabSessionRow.slug == slug)
    row = tx.scalars(select(LabSessionRow).where(*where, LabSessionRow.state.in_(OPEN))).first()
    return _session(row) if row else None


def find_closing(tx: Session, learner: str, slug: str) -> SessionRecord | None:
    """The newest session of this learner and lab whose cluster is being deleted."""
    where = (LabSessionRow.learner == learner, LabSessionRow.slug == slug, LabSessionRow.state == "closing")
    row = tx.scalars(select(LabSessionRow).where(*where).order_by(LabSessionRow.created.desc())).first()
    return _session(row) if row else None


def of_learner(tx: Session, learner: str) -> list[SessionRecord]:
    """Every session of a learner, newest first."""
    rows = tx.scalars(
        select(LabSessionRow).where(LabSessionRow.learner == learner).order_by(LabSessionRow.created.desc())
    )
    return [_session(r) for r in rows]


def change(
    tx: Session, id_: str, *, states: Iterable[str], owner: str | None = None, **values: Any
) -> SessionRecord | None:
    """Set columns if the session is in one of these states (and its lease is this owner's); what is shown has then changed.

    :returns: the session afterwards, None when it was not as asked.
    """
    where = [LabSessionRow.id == id_, LabSessionRow.state.in_(tuple(states))]
    if owner is not None:
        where.append(LabSessionRow.lease_owner == owner)
    done = tx.execute(update(LabSessionRow).where(*where).values(revision=LabSessionRow.revision + 1, **values))
    return get(tx, id_) if cast("CursorResult[Any]", done).rowcount else None


def claim(tx: Session, id_: str, *, owner: str, now: datetime, until: datetime) -> SessionRecord | None:
    """Take the lease on a session somebody must work on; None when it needs nobody, or another one holds it."""
    free = or_(LabSessionRow.lease_until.is_(None), LabSessionRow.lease_until < now, LabSessionRow.lease_owner == owner)
    where = and_(LabSessionRow.id == id_, LabSessionRow.state.in_(DRIVEN), free)
    done = tx.execute(update(LabSessionRow).where(where).values(lease_owner=owner, lease_until=until))
    return get(tx, id_) if cast("CursorResult[Any]", done).rowcount else None


def renew(tx: Session, id_: str, *, owner: str, until: datetime) -> bool:
    """Keep a lease; False when it was lost."""
    where = (LabSessionRow.id == id_, LabSessionRow.lease_owner == owner)
    done = tx.execute(update(LabSessionRow).where(*where).values(lease_until=until))
    return bool(cast("CursorResult[Any]", done).rowcount)


def beat(tx: Session, id_: str, now: datetime) -> None:
    """Somebody looks at this lab."""
    tx.execute(update(LabSessionRow).where(LabSessionRow.id == id_).values(heartbeat=now))


def abandoned(tx: Session, now: datetime) -> list[str]:
    """Sessions that somebody must work on and nobody does."""
    free = or_(LabSessionRow.lease_until.is_(None), LabSessionRow.lease_until < now)
    return list(tx.scalars(select(LabSessionRow.id).where(LabSessionRow.state.in_(DRIVEN), free)))


def overdue(tx: Session, now: datetime) -> list[str]:
    """Open sessions whose time is up."""
    return list(tx.scalars(select(LabSessionRow.id).where(LabSessionRow.state.in_(OPEN), LabSessionRow.deadline < now)))


def active(tx: Session, since: datetime) -> list[SessionRecord]:
    """Ready sessions somebody has looked at since a moment."""
    where = (LabSessionRow.state == "ready", LabSessionRow.heartbeat >= since)
    return [
        _session(r) for r in tx.scalars(select(LabSessionRow).where(*where).order_by(LabSessionRow.heartbeat.desc()))
    ]


def ended(tx: Session, ids: Iterable[str]) -> set[str]:
    """Of these ids, those whose session is at its end."""
    where = (LabSessionRow.id.in_(tuple(ids)), LabSessionRow.state.in_(("closed", "expired")))
    return set(tx.scalars(select(LabSessionRow.id).where(*where)))


# -- what is recorded of them --------------------------------------------------------------------


def add_result(
    tx: Session,
    *,
    session: str,
    stage: str,
    generation: int,
    outcome: str,
    result: Mapping[str, Any],
    auto: bool,
    at: datetime,
) -> int:
    """Record a verification; gives its id."""
    row = LabResultRow(
        session=session, stage=stage, generation=generation, outcome=outcome, result=dict(result), auto=auto, at=at
    )
    tx.add(row)
    tx.flush()
    return row.id


def add_credit(tx: Session, session: SessionRecord, *, stage: str, result: int, at: datetime) -> bool:
    """Latch a stage; False when it was earned already."""
    row = LabCreditRow(
        session=session.id,
        stage=stage,
        learner=session.learner,
        slug=session.slug,
        result=result,
        content_digest=session.content_digest,
        at=at,
    )
    try:
        with tx.begin_nested():
            tx.add(row)
            tx.flush()
    except IntegrityError:
        return False
    return True


def credits_of(tx: Session, session: str) -> dict[str, CreditRecord]:
    """What was earned in a session, by stage."""
    rows = tx.scalars(select(LabCreditRow).where(LabCreditRow.session == session))
    return {r.stage: CreditRecord(r.session, r.stage, r.slug, r.result, r.at) for r in rows}


def earned(tx: Session, learner: str, slug: str) -> dict[str, datetime]:
    """When a learner first earned each stage of a lab, in any session."""
    where = (LabCreditRow.learner == learner, LabCreditRow.slug == slug)
    rows = tx.scalars(select(LabCreditRow).where(*where).order_by(LabCreditRow.at.desc()))
    return {r.stage: r.at for r in rows}


def latest_results(tx: Session, session: str) -> dict[str, ResultRecord]:
    """The newest verification of each stage of a session."""
    newest = select(func.max(LabResultRow.id)).where(LabResultRow.session == session).group_by(LabResultRow.stage)
    return {r.stage: _result(r) for r in tx.scalars(select(LabResultRow).where(LabResultRow.id.in_(newest)))}


def results_by_id(tx: Session, ids: Iterable[int]) -> dict[int, ResultRecord]:
    """Verifications by their ids."""
    return {r.id: _result(r) for r in tx.scalars(select(LabResultRow).where(LabResultRow.id.in_(tuple(ids))))}


def results_of(tx: Session, session: str) -> list[ResultRecord]:
    """Every verification of a session, oldest first."""
    rows = tx.scalars(select(LabResultRow).where(LabResultRow.session == session).order_by(LabResultRow.id))
    return [_result(r) for r in rows]


def open_hint(tx: Session, session: str, stage: str, tier: int, now: datetime) -> None:
    """Record that a hint was opened; once is enough."""
    if tx.get(LabHintRow, (session, stage, tier)) is None:
        tx.add(LabHintRow(session=session, stage=stage, tier=tier, at=now))
        tx.flush()


def hints_of(tx: Session, session: str) -> dict[str, int]:
    """The highest tier opened, by stage."""
    rows = tx.scalars(select(LabHintRow).where(LabHintRow.session == session).order_by(LabHintRow.tier))
    return {r.stage: r.tier for r in rows}


def add_answer(tx: Session, session: str, check: str, choice: str, now: datetime) -> None:
    """Record an answer; the same one again adds nothing."""
    if answers_of(tx, session).get(check) != choice:
        tx.add(LabAnswerRow(session=session, check=check, choice=choice, at=now))
        tx.flush()


def answers_of(tx: Session, session: str) -> dict[str, str]:
    """The latest answer to each question of a session."""
    rows = tx.scalars(select(LabAnswerRow).where(LabAnswerRow.session == session).order_by(LabAnswerRow.id))
    return {r.check: r.choice for r in rows}


def add_event(tx: Session, session: str, kind: str, now: datetime, detail: str = "") -> None:
    """Record that something happened."""
    tx.add(LabEventRow(session=session, kind=kind, detail=detail, at=now))
    tx.flush()


def events_of(tx: Session, session: str) -> list[EventRecord]:
    """What happened, oldest first."""
    rows = tx.scalars(select(LabEventRow).where(LabEventRow.session == session).order_by(LabEventRow.id))
    return [EventRecord(r.kind, r.detail, r.at) for r in rows]
