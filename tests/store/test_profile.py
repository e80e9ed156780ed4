"""The profile is told from records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.content import small
from tests.store.conftest import ITEMS
from tests.store.test_quizzes import DOORS, ME, everything, option
from tutor.content.library import Library
from tutor.store.base import Database
from tutor.store.profile import Profile
from tutor.store.quizzes import Quizzes

START = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def pass_minutes(self, minutes: float) -> None:
        self.at += timedelta(minutes=minutes)


def test_a_new_learner(database: Database, library: Library) -> None:
    profile = Profile(database, library)
    profile.ping()
    (lesson,) = profile.lessons(ME)
    assert (lesson.slug, lesson.attempts, lesson.answered, lesson.total, lesson.passed_at) == (DOORS, (), 0, 4, None)
    assert profile.time(ME) == timedelta()


def test_attempts_the_first_pass_and_the_open_attempt(database: Database, library: Library) -> None:
    clock = Clock()
    quizzes, profile = Quizzes(database, library, now=clock), Profile(database, library)
    for kind in ("wrong", "right", "right"):
        sheet = quizzes.sheet(ME, DOORS)
        clock.pass_minutes(2)
        quizzes.submit(ME, DOORS, everything(sheet, kind), attempt=sheet.attempt)
        quizzes.retake(ME, DOORS, after=sheet.attempt)
    quizzes.answer(ME, DOORS, "which-key", option(quizzes.sheet(ME, DOORS), "which-key"), attempt=4)
    (lesson,) = profile.lessons(ME)
    assert [(a.number, a.right, a.total, a.passed) for a in lesson.attempts] == [
        (1, 0, 4, False),
        (2, 4, 4, True),
        (3, 4, 4, True),
    ]
    assert lesson.passed_at == START + timedelta(minutes=4)
    assert lesson.answered == 1


def test_time_leaves_breaks_out(database: Database, library: Library) -> None:
    clock = Clock()
    quizzes = Quizzes(database, library, now=clock)
    asked = quizzes.sheet(ME, DOORS)
    for item, minutes in (("which-key", 3), ("which-way", 120)):
        quizzes.answer(ME, DOORS, item, option(asked, item), attempt=1)
        clock.pass_minutes(minutes)
    quizzes.submit(ME, DOORS, {}, attempt=1)
    assert Profile(database, library).time(ME) == timedelta(minutes=3)
    assert Profile(database, library).time("other") == timedelta()


def test_answers_to_items_taken_out_are_not_counted(
    database: Database, library: Library, quizzes: Quizzes, edit: Callable[..., None]
) -> None:
    asked = quizzes.sheet(ME, DOORS)
    for item in ITEMS:
        quizzes.answer(ME, DOORS, item, option(asked, item), attempt=1)
    edit(quiz=small.quiz({i: p for i, p in ITEMS.items() if i != "lock-one"}))
    (lesson,) = Profile(database, library).lessons(ME)
    assert (lesson.answered, lesson.total) == (3, 3)
