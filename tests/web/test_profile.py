"""The profile tells what the records hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.fakes import Visitor
from tutor.web.profile import in_words


def test_a_new_learner_sees_where_to_begin(visitor: Visitor) -> None:
    page = visitor.page("/profile")
    assert "not begun" in page
    assert "0 of 1" in page
    assert 'href="/lessons/doors"' in page


def test_attempts_are_listed_with_score_and_result(visitor: Visitor) -> None:
    visitor.get("/lessons/doors")
    visitor.post("/lessons/doors/questions/which-key", attempt="1", option="fits")
    assert "1 of 4 questions answered" in visitor.page("/profile")
    visitor.post("/lessons/doors/wrap-up", attempt="1", confirm="yes", **{"a.lock-one": "fits"})
    page = visitor.page("/profile")
    assert "not passed yet" in page
    assert "2 of 4" in page
    assert 'href="/lessons/doors/result/1"' in page


@pytest.mark.parametrize(
    ("time", "words"),
    [(timedelta(), "0 min"), (timedelta(seconds=119), "1 min"), (timedelta(hours=25, minutes=5), "25 h 5 min")],
)
def test_time_is_told_in_hours_and_minutes(time: timedelta, words: str) -> None:
    assert in_words(time) == words
