"""Answering questions: what is asked, what was answered, what it was worth.

Every call may be repeated (a double click, the back button, a second tab, a lost answer of the server): an attempt's number
says which attempt is meant, the first answer to an item counts, and an attempt closes once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from tutor.content.library import Library
from tutor.content.models import Quiz
from tutor.errors import Conflict, InvalidInput
from tutor.learning import draw
from tutor.learning.sheet import Sheet, from_json, open_sheet, to_json
from tutor.store.base import Database
from tutor.store.quiz_tables import AchievementRow, AnswerRow, AttemptRow


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class Quizzes:
    """The questions of lessons, over the library and the records of learners."""

    def __init__(self, database: Database, library: Library, now: Callable[[], datetime] = utc_now) -> None:
        self._database, self._library, self._now = database, library, now

    def _quiz(self, lesson: str) -> Quiz:
        return self._library.quiz(self._library.lesson(lesson).meta.quiz)

    def sheet(self, learner: str, lesson: str) -> Sheet:
        """The newest attempt: open, or closed and not yet retaken.

        :raises NotFound: no such lesson.
        """
        quiz = self._quiz(lesson)
        with self._database.transaction() as tx:
            return self._sheet(tx, quiz, learner, lesson, _newest(tx, learner, lesson))

    def _sheet(self, tx: Session, quiz: Quiz, learner: str, lesson: str, row: AttemptRow | None) -> Sheet:
        passed = _passed(tx, learner, lesson)
        if row is not None and row.sheet is not None and row.submitted_at is not None:
            return from_json(row.sheet, row.submitted_at, passed_before=passed)
        answers: dict[str, tuple[str, str]] = {}
        if row is not None:
            found = tx.scalars(select(AnswerRow).where(AnswerRow.attempt == row.id))
            answers = {a.item: (a.variant, a.option) for a in found}
        asked = row.asked if row else None
        return open_sheet(quiz, learner, row.number if row else 1, answers, passed_before=passed, asked=asked)

    def result(self, learner: str, lesson: str, attempt: int | None = None) -> Sheet | None:
        """A closed attempt: the one of this number, or the newest; None when there is none."""
        self._library.lesson(lesson)
        with self._database.transaction() as tx:
            query = _of(learner, lesson).where(AttemptRow.submitted_at.is_not(None))
            if attempt is not None:
                query = query.where(AttemptRow.number == attempt)
            row = tx.scalars(query.order_by(AttemptRow.number.desc()).limit(1)).one_or_none()
            if row is None or row.sheet is None or row.submitted_at is None:
                return None
            return from_json(row.sheet, row.submitted_at, passed_before=_passed(tx, learner, lesson))

    def answer(self, learner: str, lesson: str, item: str, option: str, *, attempt: int) -> None:
        """Record the answer to one item. A second answer in the same attempt changes nothing.

        :raises InvalidInput: no such item or option.
        :raises Conflict: another attempt is under way by now.
        """
        quiz = self._quiz(lesson)
        with self._database.transaction() as tx:
            row = self._current(tx, quiz, learner, lesson, attempt)
            if row.submitted_at is not None:
                return
            self._record(tx, quiz, learner, lesson, row, {item: option})

    def submit(self, learner: str, lesson: str, answers: Mapping[str, str], *, attempt: int) -> None:
        """Close an attempt with the answers of its form; items without one count as wrong. Closes once.

        :raises InvalidInput: an item or option that this attempt does not have; nothing is recorded then.
        :raises Conflict: another attempt is under way by now.
        """
        quiz = self._quiz(lesson)
        with self._database.transaction() as tx:
            row = self._current(tx, quiz, learner, lesson, attempt)
            if row.submitted_at is not None:
                return
            self._record(tx, quiz, learner, lesson, row, answers)
            sheet = self._sheet(tx, quiz, learner, lesson, row)
            now = self._now()
            row.submitted_at, row.right, row.total = now, sheet.right, sheet.total
            row.passed = sheet.right >= sheet.needed
            row.sheet, row.content_digest = to_json(sheet), quiz.digest
            if row.passed:
                tx.add(
                    AchievementRow(
                        learner=learner,
                        item=f"lesson:{lesson}",
                        passed=True,
                        score=sheet.right / sheet.total,
                        evidence={"attempt": row.number, "right": sheet.right, "total": sheet.total},
                        content_digest=quiz.digest,
                        at=now,
                    )
                )

    def retake(self, learner: str, lesson: str, *, after: int) -> None:
        """Begin the attempt after a closed one; does nothing when it has begun.

        :raises Conflict: attempt ``after`` is not closed yet.
        """
        quiz = self._quiz(lesson)
        with self._database.transaction() as tx:
            newest = _newest(tx, learner, lesson)
            if newest is not None and newest.number > after:
                return
            if newest is not None and newest.number < after:
                raise InvalidInput(f"There is no attempt {after} at this lesson.", cure="Reload the page.")
            if newest is None or newest.submitted_at is None:
                raise Conflict("This attempt is not finished yet.", cure="Submit it first; then a new one can begin.")
            before = {q["item"]: q.get("variant", "") for q in (newest.sheet or {}).get("questions", ())}
            _insert_attempt(tx, learner, lesson, newest.number + 1, self._now(), quiz, before)

    def passed(self, learner: str, lesson: str) -> bool:
        """Whether some attempt passed."""
        with self._database.transaction() as tx:
            return _passed(tx, learner, lesson)

    def _current(self, tx: Session, quiz: Quiz, learner: str, lesson: str, attempt: int) -> AttemptRow:
        newest = _newest(tx, learner, lesson, lock=True)
        if newest is None and attempt == 1:
            newest = _insert_attempt(tx, learner, lesson, 1, self._now(), quiz, {})
        if newest is None or not 1 <= attempt <= newest.number:
            raise InvalidInput(f"There is no attempt {attempt} at this lesson.", cure="Reload the page.")
        if newest.number > attempt:
            raise Conflict(
                f"Attempt {attempt} is finished, and attempt {newest.number} is under way.",
                cure="Reload the page to see the questions of the new attempt.",
            )
        return newest

    def _record(
        self, tx: Session, quiz: Quiz, learner: str, lesson: str, row: AttemptRow, answers: Mapping[str, str]
    ) -> None:
        sheet = self._sheet(tx, quiz, learner, lesson, row)
        for item, option in answers.items():
            question = sheet.questions.get(item)
            if question is None:
                raise InvalidInput(f'This lesson has no question "{item[:64]}".', cure="Reload the page.")
            if option not in {o.id for o in question.options}:
                raise InvalidInput(f'The question "{item}" has no answer "{option[:64]}".', cure="Reload the page.")
            if not question.chosen:
                _insert_answer(tx, row.id, item, question.variant, option, self._now())


def _of(learner: str, lesson: str) -> Select[AttemptRow]:
    return select(AttemptRow).where(AttemptRow.learner == learner, AttemptRow.lesson == lesson)


def _newest(tx: Session, learner: str, lesson: str, *, lock: bool = False) -> AttemptRow | None:
    """The newest attempt.

    :param lock: hold its row until the transaction ends, so that of two forms sent at once the second one waits and
        sees what the first one did. (SQLite has no row locks: there the whole transaction waits.)
    """
    query = _of(learner, lesson).order_by(AttemptRow.number.desc()).limit(1)
    return tx.scalars(query.with_for_update() if lock else query).one_or_none()


def _passed(tx: Session, learner: str, lesson: str) -> bool:
    found = select(func.count()).where(
        AttemptRow.learner == learner, AttemptRow.lesson == lesson, AttemptRow.passed.is_(True)
    )
    return bool(tx.scalar(found))


def _insert_attempt(
    tx: Session, learner: str, lesson: str, number: int, now: datetime, quiz: Quiz, before: Mapping[str, str]
) -> AttemptRow:
    """Two tabs may begin at once: the constraint keeps one row, and both get it."""
    values = {
        "learner": learner,
        "lesson": lesson,
        "number": number,
        "started_at": now,
        "right": 0,
        "total": 0,
        "passed": False,
        "content_digest": quiz.digest,
        "asked": draw.asked(quiz, learner, number, before),
    }
    tx.execute(_insert(tx)(AttemptRow).values(values).on_conflict_do_nothing())
    mine = _of(learner, lesson).where(AttemptRow.number == number)
    row: AttemptRow = tx.scalars(mine.with_for_update()).one()
    return row


def _insert_answer(tx: Session, attempt: int, item: str, variant: str, option: str, now: datetime) -> None:
    """Record an answer where none counts. The attempt's row is locked, so an answer found here is not a rival's: it is
    one to a variant or option that an author has taken out since, and the question was asked again."""
    values = {"attempt": attempt, "item": item, "variant": variant, "option": option, "at": now}
    again = {k: values[k] for k in ("variant", "option", "at")}
    insert = _insert(tx)(AnswerRow).values(values)
    tx.execute(insert.on_conflict_do_update(index_elements=["attempt", "item"], set_=again))


def _insert(tx: Session) -> Callable[[Any], Any]:
    return sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
