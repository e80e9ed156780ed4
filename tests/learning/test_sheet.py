"""Grading and standing, as tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.learning.test_draw import item, quiz
from tutor.content.models import Quiz
from tutor.learning.sheet import Sheet, from_json, needed, open_sheet, to_json

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def of(ratio: float, items: int) -> Quiz:
    return quiz(*(item(3, f"i{n}") for n in range(items))).model_copy(update={"pass_ratio": ratio})


def answered(asked: Quiz, right: int, wrong: int = 0) -> Sheet:
    """A sheet with so many right, then so many wrong answers; the rest is open."""
    options = ["o0"] * right + ["o1"] * wrong
    answers = {i.id: ("v0", o) for i, o in zip(asked.items, options, strict=False)}
    return open_sheet(asked, "local", 1, answers, passed_before=False)


@pytest.mark.parametrize(
    ("ratio", "items", "expected"),
    [(0.7, 10, 7), (0.7, 9, 7), (0.7, 1, 1), (0.5, 3, 2), (1.0, 10, 10), (0.1, 10, 1), (0.29, 100, 29), (0.01, 5, 1)],
)
def test_what_is_needed_is_the_ratio_rounded_up(ratio: float, items: int, expected: int) -> None:
    assert needed(of(ratio, items)) == expected


@given(percent=st.integers(1, 100), items=st.integers(1, 40))
def test_what_is_needed_is_exact_for_whole_percents(percent: int, items: int) -> None:
    exact = Fraction(percent, 100) * items
    assert needed(of(percent / 100, items)) == -(-exact.numerator // exact.denominator)


@pytest.mark.parametrize(
    ("right", "wrong", "passes"),
    [(0, 0, False), (6, 0, False), (6, 4, False), (7, 0, True), (7, 3, True), (10, 0, True), (0, 10, False)],
)
def test_seven_of_ten_pass_and_gaps_count_as_wrong(right: int, wrong: int, passes: bool) -> None:
    sheet = answered(of(0.7, 10), right, wrong)
    assert (sheet.right, sheet.answered, sheet.total) == (right, right + wrong, 10)
    assert not sheet.passed, "an open attempt has not passed"
    assert from_json(to_json(sheet), AT, passed_before=False).passed is passes


@given(st.lists(st.sampled_from(["o0", "o1", "o2", "o3", ""]), min_size=1, max_size=12))
def test_the_score_is_the_number_of_right_answers(options: list[str]) -> None:
    asked = of(0.7, len(options))
    answers = {i.id: ("v1", o) for i, o in zip(asked.items, options, strict=True) if o}
    sheet = open_sheet(asked, "local", 3, answers, passed_before=False)
    assert sheet.right == options.count("o0")
    assert sheet.answered == len(options) - options.count("")


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (("v2", "o1"), ("v2", "o1")),
        (("gone", "o1"), None),
        (("v2", "gone"), None),
        (("", ""), None),
    ],
)
def test_an_answer_whose_variant_or_option_is_gone_is_asked_again(
    given: tuple[str, str], chosen: tuple[str, str] | None
) -> None:
    question = open_sheet(of(0.7, 1), "local", 1, {"i0": given}, passed_before=False).questions["i0"]
    if chosen:
        assert (question.variant, question.chosen) == chosen
    else:
        assert question.chosen == ""
        assert question.variant in {"v0", "v1", "v2"}


@pytest.mark.parametrize("variant", ["v0", "v1", "v2"])
def test_the_variant_that_was_asked_stays(variant: str) -> None:
    sheet = open_sheet(of(0.7, 2), "local", 1, {}, passed_before=False, asked={"i0": variant, "unknown": "v0"})
    assert sheet.questions["i0"].variant == variant
    assert set(sheet.questions) == {"i0", "i1"}


def test_an_answer_to_an_item_that_is_gone_is_no_part_of_the_sheet() -> None:
    sheet = open_sheet(of(0.7, 1), "local", 1, {"gone": ("v0", "o0")}, passed_before=False)
    assert (sheet.answered, sheet.right, sheet.total) == (0, 0, 1)


def test_a_kept_sheet_is_the_same_sheet_after_json() -> None:
    sheet = answered(of(0.7, 4), 2, 1)
    kept = from_json(json.loads(json.dumps(to_json(sheet))), AT, passed_before=True)
    assert dict(kept.questions) == dict(sheet.questions)
    assert (kept.submitted_at, kept.passed_before, kept.needed) == (AT, True, sheet.needed)
    assert kept.key != sheet.key


def test_inline_questions_are_counted_apart() -> None:
    inline, closing = item(1, "a"), item(1, "b").model_copy(update={"placement": "wrap-up"})
    sheet = open_sheet(quiz(inline, closing), "local", 1, {"b": ("v0", "o0")}, passed_before=False)
    assert (sheet.inline_total, sheet.inline_answered, sheet.answered) == (1, 0, 1)
    assert [q.number for q in sheet.questions.values()] == [1, 2]
