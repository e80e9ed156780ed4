"""What a learner has done, told from the records: nothing here is stored twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text

from tutor.content.library import Library
from tutor.learning.activity import active_time
from tutor.store.base import Database
from tutor.store.lab_tables import LabResultRow, LabSessionRow
from tutor.store.quiz_tables import AnswerRow, AttemptRow


@dataclass(frozen=True)
class AttemptSummary:
    """A closed attempt."""

    number: int
    right: int
    total: int
    passed: bool
    at: datetime


@dataclass(frozen=True)
class LessonSummary:
    """A lesson and what was done in it. ``answered`` counts the open attempt."""

    slug: str
    title: str
    passed_at: datetime | None
    attempts: tuple[AttemptSummary, ...]
    answered: int
    total: int


class Profile:
    """Summaries over the records of learners."""

    def __init__(self, database: Database, library: Library) -> None:
        self._database, self._library = database, library

    def ping(self) -> None:
        """Ask the database for nothing: raises when it does not answer."""
        with self._database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def lessons(self, learner: str) -> tuple[LessonSummary, ...]:
        """Every lesson with this learner's attempts."""
        with self._database.transaction() as tx:
            rows = list(tx.scalars(select(AttemptRow).where(AttemptRow.learner == learner).order_by(AttemptRow.number)))
            open_ids = [r.id for r in rows if r.submitted_at is None]
            answers = list(tx.scalars(select(AnswerRow).where(AnswerRow.attempt.in_(open_ids))))
        out = []
        for lesson in self._library.lessons():
            mine = [r for r in rows if r.lesson == lesson.slug]
            closed = [r for r in mine if r.submitted_at is not None]
            open_ = {r.id for r in mine if r.submitted_at is None}
            items = {item.id for item in self._library.quiz(lesson.meta.quiz).items}
            out.append(
                LessonSummary(
                    lesson.slug,
                    lesson.meta.title,
                    min((r.submitted_at for r in closed if r.passed and r.submitted_at), default=None),
                    tuple(
                        AttemptSummary(r.number, r.right, r.total, r.passed, r.submitted_at)
                        for r in closed
                        if r.submitted_at
                    ),
                    sum(a.attempt in open_ and a.item in items for a in answers),
                    len(items),
                )
            )
        return tuple(out)

    def time(self, learner: str) -> timedelta:
        """Time spent on questions and labs: gaps between actions, breaks left out."""
        with self._database.transaction() as tx:
            attempts = tx.execute(
                select(AttemptRow.started_at, AttemptRow.submitted_at).where(AttemptRow.learner == learner)
            ).all()
            answered = tx.scalars(
                select(AnswerRow.at)
                .join(AttemptRow, AttemptRow.id == AnswerRow.attempt)
                .where(AttemptRow.learner == learner)
            ).all()
            sessions = select(LabSessionRow.id).where(LabSessionRow.learner == learner)
            checked = tx.scalars(select(LabResultRow.at).where(LabResultRow.session.in_(sessions))).all()
        return active_time([*(m for row in attempts for m in row if m), *answered, *checked])
