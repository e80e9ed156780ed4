"""Answering without JavaScript and with it: nothing is lost, nothing counts twice."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.web.fakes import SmallServices, Visitor

LESSON = "/lessons/doors"
INLINE = ("which-key", "which-way")
CLOSING = ("lock-one", "lock-two")


def answer_all(visitor: Visitor, option: str = "fits", attempt: int = 1) -> None:
    for item in INLINE:
        visitor.post(f"{LESSON}/questions/{item}", attempt=str(attempt), option=option)


def submit(visitor: Visitor, option: str = "fits", attempt: int = 1, **more: str) -> object:
    return visitor.post(f"{LESSON}/wrap-up", attempt=str(attempt), **{f"a.{i}": option for i in CLOSING}, **more)


def test_an_answer_comes_back_to_its_question_with_every_option_explained(visitor: Visitor) -> None:
    visitor.get(LESSON)
    response = visitor.post(f"{LESSON}/questions/which-key", attempt="1", option="jams")
    assert response.status_code == 303
    assert response.headers["Location"] == f"{LESSON}#q-which-key"
    page = visitor.page(LESSON)
    box = page[page.index('id="q-which-key"') : page.index('id="q-which-way"')]
    assert "Not this one." in box
    assert box.count("Explained ") == 3
    assert box.count("Your answer") == 1
    assert "<form" not in box


def test_the_page_script_gets_the_question_alone(visitor: Visitor) -> None:
    visitor.get(LESSON)
    response = visitor.post(f"{LESSON}/questions/which-key", fetch=True, attempt="1", option="fits")
    assert response.status_code == 200
    assert response.text.lstrip().startswith("<section")
    assert "Right." in response.text
    assert response.headers["X-Answered"] == "1"


def test_a_double_click_records_one_answer_and_the_first_one_stands(visitor: Visitor) -> None:
    visitor.get(LESSON)
    for option in ("jams", "jams", "fits"):
        visitor.post(f"{LESSON}/questions/which-key", attempt="1", option=option)
    page = visitor.page(LESSON)
    box = page[page.index('id="q-which-key"') : page.index('id="q-which-way"')]
    assert "Not this one." in box


def test_no_choice_asks_for_one_and_stays_at_the_question(visitor: Visitor) -> None:
    visitor.get(LESSON)
    response = visitor.post(f"{LESSON}/questions/which-way", attempt="1")
    assert response.status_code == 400
    assert "Choose an answer first." in response.text
    assert visitor.post(f"{LESSON}/questions/which-way", fetch=True, attempt="1").text == "Choose an answer first."


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("questions/which-key", {"attempt": "1", "option": "foreign"}),
        ("questions/no-such-item", {"attempt": "1", "option": "fits"}),
        ("questions/which-key", {"attempt": "one", "option": "fits"}),
        ("questions/which-key", {"option": "fits"}),
        ("questions/which-key", {"attempt": "99", "option": "fits"}),
        ("wrap-up", {"attempt": "1", "a.no-such-item": "fits", "confirm": "yes"}),
        ("wrap-up", {"attempt": "1", "a.lock-one": "foreign", "confirm": "yes"}),
        ("wrap-up", {"attempt": "99999999999999999999", "confirm": "yes"}),
        ("retake", {"attempt": "x"}),
    ],
)
def test_foreign_ids_are_refused_and_change_nothing(visitor: Visitor, path: str, form: dict[str, str]) -> None:
    visitor.get(LESSON)
    response = visitor.post(f"{LESSON}/{path}", **form)
    assert 400 <= response.status_code < 500
    page = visitor.page(LESSON)
    assert "Your answer" not in page
    assert "Go to the wrap-up" in page


def test_gaps_are_listed_and_asked_about_once_with_every_answer_kept(visitor: Visitor) -> None:
    visitor.get(LESSON)
    visitor.post(f"{LESSON}/questions/which-key", attempt="1", option="fits")
    form = visitor.page(f"{LESSON}/wrap-up")
    assert f'href="{LESSON}#q-which-way"' in form
    asked = visitor.post(f"{LESSON}/wrap-up", attempt="1", **{"a.lock-one": "bends"})
    assert asked.status_code == 200
    assert "2 questions are still open" in asked.text
    assert 'href="#q-lock-two"' in asked.text
    assert re.search(r'name="a.lock-one" value="bends" checked', asked.text)
    assert visitor.get(f"{LESSON}/result").status_code == 303
    done = visitor.post(f"{LESSON}/wrap-up", attempt="1", confirm="yes", **{"a.lock-one": "fits"})
    assert done.status_code == 303
    result = visitor.page(done.headers["Location"])
    assert "Not answered, counted as wrong." in result
    assert "<h1>Not passed yet</h1>" in result


def test_passing_shows_everything_and_marks_the_lesson_complete(visitor: Visitor) -> None:
    visitor.get(LESSON)
    answer_all(visitor)
    done = submit(visitor)
    result = visitor.page(done.headers["Location"])  # type: ignore[attr-defined]
    assert "<h1>Lesson passed</h1>" in result
    assert result.count("Explained ") == 12
    assert result.count("Your answer") == 4
    assert "lesson passed" in visitor.page(LESSON)
    assert "passed" in visitor.page("/profile")


def test_the_form_sent_twice_counts_once(visitor: Visitor) -> None:
    visitor.get(LESSON)
    answer_all(visitor)
    first = submit(visitor)
    second = submit(visitor, option="jams")
    assert second.status_code == 303  # type: ignore[attr-defined]
    assert first.headers["Location"] == second.headers["Location"]  # type: ignore[attr-defined]
    assert "<h1>Lesson passed</h1>" in visitor.page(f"{LESSON}/result")


def test_the_page_script_is_told_where_the_result_is(visitor: Visitor) -> None:
    visitor.get(LESSON)
    answer_all(visitor)
    response = visitor.post(f"{LESSON}/wrap-up", fetch=True, attempt="1", **{f"a.{i}": "fits" for i in CLOSING})
    assert response.status_code == 204
    assert response.headers["X-Location"] == f"{LESSON}/result/1"


def test_a_retake_asks_in_other_words_and_sent_twice_begins_one_attempt(visitor: Visitor) -> None:
    visitor.get(LESSON)
    answer_all(visitor, "jams")
    submit(visitor, "jams")
    before = set(re.findall(r"wording ([abc])", visitor.page(f"{LESSON}/result")))
    for _ in range(2):
        response = visitor.post(f"{LESSON}/retake", attempt="1")
        assert response.status_code == 303
    form = visitor.page(f"{LESSON}/wrap-up")
    assert 'name="attempt" value="2"' in form
    assert before, "the first attempt shows its wordings"
    for item in CLOSING:
        first = re.search(rf"Question {item}, wording ([abc])", visitor.page(f"{LESSON}/result/1"))
        second = re.search(rf"Question {item}, wording ([abc])", form)
        assert first
        assert second
        assert first[1] != second[1]


def test_a_pass_once_earned_stays(services: SmallServices, visitor: Visitor) -> None:
    visitor.get(LESSON)
    answer_all(visitor)
    submit(visitor)
    visitor.post(f"{LESSON}/retake", attempt="1")
    answer_all(visitor, "jams", attempt=2)
    submit(visitor, "jams", attempt=2)
    result = visitor.page(f"{LESSON}/result/2")
    assert "An earlier attempt passed, and that stands." in result
    assert "lesson passed" in visitor.page(LESSON)


def test_an_old_tab_cannot_change_a_submitted_attempt(visitor: Visitor) -> None:
    visitor.get(LESSON)
    answer_all(visitor, "jams")
    submit(visitor, "jams")
    visitor.post(f"{LESSON}/questions/which-key", attempt="1", option="fits")
    assert "Right." not in visitor.page(f"{LESSON}/result/1")


def test_results_of_other_attempts_do_not_exist(app: Flask, visitor: Visitor) -> None:
    assert visitor.get(f"{LESSON}/result").status_code == 303
    assert visitor.get(f"{LESSON}/result/7").status_code == 404
