"""Attempts and answers: nothing is lost, nothing counts twice, on either database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.content import small
from tests.store.conftest import ITEMS, LESSON
from tutor.content.library import Library
from tutor.errors import Conflict, InvalidInput, NotFound
from tutor.learning.sheet import Sheet
from tutor.store.base import Database
from tutor.store.quiz_tables import AchievementRow, AnswerRow, AttemptRow
from tutor.store.quizzes import Quizzes

ME, DOORS = "local", "doors"
Edit = Callable[..., None]


def option(sheet: Sheet, item: str, kind: str = "right") -> str:
    """The id of the ``right``, ``wrong`` or ``other`` option of the variant this sheet asks."""
    return f"{kind}-{sheet.questions[item].variant}"


def everything(sheet: Sheet, kind: str = "right") -> dict[str, str]:
    return {item: option(sheet, item, kind) for item in sheet.questions}


def rows(database: Database, table: type) -> int:
    with database.transaction() as tx:
        return int(tx.scalar(select(func.count()).select_from(table)) or 0)


def test_looking_records_nothing(quizzes: Quizzes, database: Database) -> None:
    sheet = quizzes.sheet(ME, DOORS)
    assert (sheet.attempt, sheet.answered, sheet.total, sheet.needed) == (1, 0, 4, 3)
    assert quizzes.sheet(ME, DOORS) == sheet
    assert quizzes.result(ME, DOORS) is None
    assert (rows(database, AttemptRow), rows(database, AnswerRow)) == (0, 0)


def test_the_first_answer_stands(quizzes: Quizzes, database: Database) -> None:
    asked = quizzes.sheet(ME, DOORS)
    for kind in ("wrong", "wrong", "right"):
        quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key", kind), attempt=1)
    sheet = quizzes.sheet(ME, DOORS)
    assert sheet.questions["which-key"].chosen == option(asked, "which-key", "wrong")
    assert (sheet.inline_answered, sheet.right, rows(database, AnswerRow)) == (1, 0, 1)


def test_what_was_answered_in_the_text_counts_in_the_wrap_up(quizzes: Quizzes) -> None:
    asked = quizzes.sheet(ME, DOORS)
    for item in ("which-key", "which-way"):
        quizzes.answer(ME, DOORS, item, option(asked, item), attempt=1)
    quizzes.submit(ME, DOORS, {"lock-one": option(asked, "lock-one")}, attempt=1)
    result = quizzes.result(ME, DOORS)
    assert result is not None
    assert (result.right, result.answered, result.passed) == (3, 3, True)
    assert quizzes.passed(ME, DOORS)


def test_a_form_cannot_change_an_answer_given_in_the_text(quizzes: Quizzes) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key", "wrong"), attempt=1)
    quizzes.submit(ME, DOORS, everything(asked), attempt=1)
    result = quizzes.result(ME, DOORS)
    assert result is not None
    assert result.right == 3


def test_the_form_sent_again_changes_nothing(quizzes: Quizzes, database: Database) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.submit(ME, DOORS, everything(asked), attempt=1)
    first = quizzes.result(ME, DOORS)
    quizzes.submit(ME, DOORS, everything(asked, "wrong"), attempt=1)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key", "wrong"), attempt=1)
    assert quizzes.result(ME, DOORS) == first
    assert (rows(database, AttemptRow), rows(database, AchievementRow), rows(database, AnswerRow)) == (1, 1, 4)


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ({"no-such": "right-a"}, 'no question "no-such"'),
        ({"which-key": "no-such"}, '"which-key" has no answer "no-such"'),
        ({"x" * 5000: "y"}, 'no question "' + "x" * 64 + '"'),
        ({"which-key": "' OR 1=1 --"}, "has no answer"),
        ({"which-key": ""}, "has no answer"),
    ],
)
def test_foreign_ids_are_named_and_nothing_of_the_form_is_kept(
    quizzes: Quizzes, database: Database, answers: dict[str, str], named: str
) -> None:
    good = {"lock-one": option(quizzes.sheet(ME, DOORS), "lock-one")}
    with pytest.raises(InvalidInput) as told:
        quizzes.submit(ME, DOORS, {**good, **answers}, attempt=1)
    assert named in told.value.message
    assert len(told.value.message) < 200
    with pytest.raises(InvalidInput):
        quizzes.answer(ME, DOORS, *next(iter(answers.items())), attempt=1)
    assert (rows(database, AttemptRow), rows(database, AnswerRow)) == (0, 0)


def test_unknown_lessons(quizzes: Quizzes) -> None:
    with pytest.raises(NotFound):
        quizzes.sheet(ME, "windows")
    with pytest.raises(NotFound):
        quizzes.submit(ME, "windows", {}, attempt=1)


@pytest.mark.parametrize("attempt", [-1, 0, 2, 10**30])
def test_an_attempt_that_never_was(quizzes: Quizzes, attempt: int) -> None:
    asked = quizzes.sheet(ME, DOORS)
    answer = option(asked, "which-key")
    for _ in range(2):  # before anything is recorded, and after
        with pytest.raises(InvalidInput, match="There is no attempt"):
            quizzes.answer(ME, DOORS, "which-key", answer, attempt=attempt)
        with pytest.raises(InvalidInput, match="There is no attempt"):
            quizzes.submit(ME, DOORS, {}, attempt=attempt)
        quizzes.answer(ME, DOORS, "which-way", option(asked, "which-way"), attempt=1)
    assert quizzes.sheet(ME, DOORS).answered == 1


def test_a_retake_asks_other_variants_and_begins_once(quizzes: Quizzes, database: Database) -> None:
    first = quizzes.sheet(ME, DOORS)
    quizzes.submit(ME, DOORS, everything(first, "wrong"), attempt=1)
    for _ in range(2):
        quizzes.retake(ME, DOORS, after=1)
    second = quizzes.sheet(ME, DOORS)
    assert (second.attempt, second.answered, rows(database, AttemptRow)) == (2, 0, 2)
    assert all(second.questions[i].variant != first.questions[i].variant for i in ITEMS)
    assert quizzes.result(ME, DOORS, 1) is not None
    assert quizzes.result(ME, DOORS, 2) is None


def test_a_retake_needs_a_finished_attempt(quizzes: Quizzes, database: Database) -> None:
    with pytest.raises(Conflict):
        quizzes.retake(ME, DOORS, after=0)
    asked = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key"), attempt=1)
    with pytest.raises(Conflict):
        quizzes.retake(ME, DOORS, after=1)
    quizzes.submit(ME, DOORS, {}, attempt=1)
    with pytest.raises(InvalidInput, match="no attempt 7"):
        quizzes.retake(ME, DOORS, after=7)
    assert rows(database, AttemptRow) == 1


def test_a_tab_of_the_attempt_before_is_told_and_changes_nothing(quizzes: Quizzes) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.submit(ME, DOORS, everything(asked), attempt=1)
    first = quizzes.result(ME, DOORS, 1)
    quizzes.retake(ME, DOORS, after=1)
    with pytest.raises(Conflict, match=r"Attempt 1 is finished, and attempt 2 is under way"):
        quizzes.submit(ME, DOORS, everything(asked, "wrong"), attempt=1)
    with pytest.raises(Conflict):
        quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key"), attempt=1)
    assert quizzes.result(ME, DOORS, 1) == first
    assert quizzes.sheet(ME, DOORS).answered == 0


def test_a_pass_stays_after_a_worse_attempt(quizzes: Quizzes, database: Database) -> None:
    quizzes.submit(ME, DOORS, everything(quizzes.sheet(ME, DOORS)), attempt=1)
    quizzes.retake(ME, DOORS, after=1)
    quizzes.submit(ME, DOORS, {}, attempt=2)
    latest = quizzes.result(ME, DOORS)
    assert latest is not None
    assert (latest.attempt, latest.passed, latest.passed_before) == (2, False, True)
    assert quizzes.passed(ME, DOORS)
    with database.transaction() as tx:
        earned = tx.scalars(select(AchievementRow)).one()
        assert (earned.item, earned.passed, earned.score) == ("lesson:doors", True, 1.0)
        assert earned.evidence == {"attempt": 1, "right": 4, "total": 4}
        assert earned.at.tzinfo is UTC


def test_learners_do_not_see_each_other(quizzes: Quizzes) -> None:
    quizzes.submit(ME, DOORS, everything(quizzes.sheet(ME, DOORS)), attempt=1)
    assert quizzes.sheet("other", DOORS).answered == 0
    assert quizzes.result("other", DOORS, 1) is None
    assert not quizzes.passed("other", DOORS)


# -- at once ---------------------------------------------------------------------------------------


def at_once(number: int, act: Callable[[int], None]) -> list[BaseException | None]:
    """Run ``act`` in so many threads, let go together; gives what each one raised."""
    start = threading.Barrier(number)

    def run(i: int) -> BaseException | None:
        start.wait(30)
        try:
            act(i)
        except Exception as e:  # noqa: BLE001 - told by the caller's assertion
            return e
        return None

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_tabs_answering_the_same_question_at_once_leave_one_answer(quizzes: Quizzes, database: Database) -> None:
    asked = quizzes.sheet(ME, DOORS)
    kinds = ("right", "wrong", "other", "right", "wrong", "other")
    raised = at_once(
        6, lambda i: quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key", kinds[i]), attempt=1)
    )
    assert raised == [None] * 6
    assert (rows(database, AttemptRow), rows(database, AnswerRow)) == (1, 1)
    assert quizzes.sheet(ME, DOORS).answered == 1


def test_tabs_answering_different_questions_at_once_lose_none(quizzes: Quizzes) -> None:
    asked = quizzes.sheet(ME, DOORS)
    items = list(ITEMS)
    assert at_once(4, lambda i: quizzes.answer(ME, DOORS, items[i], option(asked, items[i]), attempt=1)) == [None] * 4
    assert quizzes.sheet(ME, DOORS).right == 4


def test_the_form_sent_many_times_at_once_counts_once(quizzes: Quizzes, database: Database) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key"), attempt=1)
    forms = [everything(asked, "right"), everything(asked, "wrong")]
    assert at_once(6, lambda i: quizzes.submit(ME, DOORS, forms[i % 2], attempt=1)) == [None] * 6
    result = quizzes.result(ME, DOORS)
    assert result is not None
    assert result.right in (1, 4)
    assert rows(database, AnswerRow) == 4
    assert rows(database, AchievementRow) == (1 if result.passed else 0)


def test_a_retake_begun_in_many_tabs_is_one_attempt(quizzes: Quizzes, database: Database) -> None:
    quizzes.submit(ME, DOORS, {}, attempt=1)
    assert at_once(6, lambda _: quizzes.retake(ME, DOORS, after=1)) == [None] * 6
    assert rows(database, AttemptRow) == 2


# -- the quiz is edited while an attempt is open ---------------------------------------------------


def test_variants_added_change_no_open_attempt(quizzes: Quizzes, edit: Edit) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key"), attempt=1)
    edit(quiz=small.quiz(ITEMS, variants="zyabcdefg"))
    now = quizzes.sheet(ME, DOORS)
    assert [q.variant for q in now.questions.values()] == [q.variant for q in asked.questions.values()]
    quizzes.submit(ME, DOORS, everything(asked), attempt=1)
    assert quizzes.passed(ME, DOORS)


def test_a_variant_taken_out_is_asked_again_and_the_rest_is_kept(quizzes: Quizzes, edit: Edit) -> None:
    asked = quizzes.sheet(ME, DOORS)
    for item in ("which-key", "which-way"):
        quizzes.answer(ME, DOORS, item, option(asked, item), attempt=1)
    gone = asked.questions["which-key"].variant
    left = "abc".replace(gone, "")
    edit(quiz=small.quiz(ITEMS, variants=left))
    now = quizzes.sheet(ME, DOORS)
    kept = asked.questions["which-way"].variant != gone
    assert now.questions["which-key"].chosen == ""
    assert bool(now.questions["which-way"].chosen) is kept


def test_an_item_taken_out_and_one_put_in(quizzes: Quizzes, edit: Edit) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key"), attempt=1)
    edit(quiz=small.quiz({**{i: p for i, p in ITEMS.items() if i != "lock-one"}, "lock-new": "wrap-up"}))
    now = quizzes.sheet(ME, DOORS)
    assert list(now.questions) == ["which-key", "which-way", "lock-two", "lock-new"]
    quizzes.submit(ME, DOORS, {i: option(now, i) for i in ("which-way", "lock-new")}, attempt=1)
    assert quizzes.passed(ME, DOORS)


def test_a_question_asked_again_can_be_answered(quizzes: Quizzes, edit: Edit) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key", "wrong"), attempt=1)
    edit(quiz=small.quiz(ITEMS, variants="xyz"))
    now = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(now, "which-key"), attempt=1)
    again = quizzes.sheet(ME, DOORS)
    assert again.questions["which-key"].right
    quizzes.submit(ME, DOORS, everything(again), attempt=1)
    result = quizzes.result(ME, DOORS)
    assert result is not None
    assert result.right == 4


def test_a_result_keeps_its_wording_after_edits(quizzes: Quizzes, edit: Edit) -> None:
    quizzes.submit(ME, DOORS, everything(quizzes.sheet(ME, DOORS)), attempt=1)
    before = quizzes.result(ME, DOORS)
    edit(quiz=small.quiz(ITEMS, variants="xyz", ratio=1.0))
    assert quizzes.result(ME, DOORS) == before
    assert quizzes.passed(ME, DOORS)


def test_a_quiz_broken_meanwhile_loses_nothing(quizzes: Quizzes, edit: Edit) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key"), attempt=1)
    edit(quiz="items: [")
    with pytest.raises(NotFound):
        quizzes.sheet(ME, DOORS)
    edit(lesson=LESSON)
    assert quizzes.sheet(ME, DOORS).answered == 1


def test_another_process_goes_on_where_the_first_stopped(quizzes: Quizzes, empty_url: str, tmp_path: Path) -> None:
    asked = quizzes.sheet(ME, DOORS)
    quizzes.answer(ME, DOORS, "which-key", option(asked, "which-key"), attempt=1)
    other = Database(empty_url)
    sheet = Quizzes(other, Library(tmp_path / "content")).sheet(ME, DOORS)
    other.close()
    assert sheet == quizzes.sheet(ME, DOORS)
    assert sheet.answered == 1


def test_moments_are_those_of_the_clock_given(database: Database, library: Library) -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    service = Quizzes(database, library, now=lambda: at + timedelta(seconds=1))
    service.submit(ME, DOORS, {}, attempt=1)
    result = service.result(ME, DOORS)
    assert result is not None
    assert result.submitted_at == at + timedelta(seconds=1)
