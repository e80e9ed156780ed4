"""One attempt at a lesson's questions: what was asked, what was chosen, what it is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tutor.content.models import Option, Quiz
from tutor.learning import draw


@dataclass(frozen=True)
class Question:
    """A question as this learner got it in this attempt: one variant, options in drawn order."""

    item: str
    number: int
    inline: bool
    prompt: str
    options: tuple[Option, ...]
    chosen: str
    """Id of the option chosen; empty while it is open."""
    variant: str = ""

    @property
    def right(self) -> bool:
        """Whether the chosen option is the correct one."""
        return any(o.id == self.chosen and o.correct for o in self.options)


@dataclass(frozen=True)
class Sheet:
    """All questions of one attempt, in order, and where the attempt stands."""

    attempt: int
    needed: int
    questions: Mapping[str, Question]
    submitted_at: datetime | None
    passed_before: bool
    """Whether this or an earlier attempt passed: a pass once earned stays."""

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for two sheets that look the same."""
        shown = tuple((q.prompt, q.chosen, *(o.id for o in q.options)) for q in self.questions.values())
        return (self.attempt, self.needed, self.submitted_at, self.passed_before, shown)

    @property
    def inline_total(self) -> int:
        """Questions that stand in the text."""
        return sum(q.inline for q in self.questions.values())

    @property
    def total(self) -> int:
        """All questions."""
        return len(self.questions)

    @property
    def submitted(self) -> bool:
        """Whether the attempt is closed."""
        return self.submitted_at is not None

    @property
    def answered(self) -> int:
        """Questions with an answer."""
        return sum(bool(q.chosen) for q in self.questions.values())

    @property
    def inline_answered(self) -> int:
        """Questions of the text with an answer."""
        return sum(bool(q.chosen) for q in self.questions.values() if q.inline)

    @property
    def right(self) -> int:
        """Right answers."""
        return sum(q.right for q in self.questions.values())

    @property
    def passed(self) -> bool:
        """Whether the closed attempt passes."""
        return self.submitted and self.right >= self.needed


def needed(quiz: Quiz) -> int:
    """How many right answers pass: the quiz's ratio of all its items, rounded up."""
    return math.ceil(round(quiz.pass_ratio * len(quiz.items), 9))


def open_sheet(
    quiz: Quiz,
    learner: str,
    attempt: int,
    answers: Mapping[str, tuple[str, str]],
    *,
    passed_before: bool,
    asked: Mapping[str, str] | None = None,
) -> Sheet:
    """The sheet of an attempt that is not closed yet.

    :param answers: item -> (variant, option) given so far. An answer to a variant or option that an author has taken out
        since is dropped, and the question asked again.
    :param asked: item -> variant as drawn when the attempt began; an item or variant it does not know is drawn now.
    """
    questions: dict[str, Question] = {}
    drawn = {**draw.asked(quiz, learner, attempt, {}), **(asked or {})}
    for number, item in enumerate(quiz.items, 1):
        variants = {v.id: v for v in item.variants}
        given = variants.get(drawn[item.id]) or draw.variant(item, learner, attempt)
        answered, option = answers.get(item.id, ("", ""))
        if answered in variants and option in {o.id for o in variants[answered].options}:
            given = variants[answered]
        else:
            option = ""
        options = draw.options(given, learner, item.id, attempt)
        questions[item.id] = Question(
            item.id, number, item.placement == "inline", given.prompt, options, option, given.id
        )
    return Sheet(attempt, needed(quiz), questions, None, passed_before)


def to_json(sheet: Sheet) -> dict[str, Any]:
    """A closed sheet as it is kept: with its wording, so that later edits of the quiz never change a result."""
    return {
        "attempt": sheet.attempt,
        "needed": sheet.needed,
        "questions": [
            {
                "item": q.item,
                "number": q.number,
                "inline": q.inline,
                "prompt": q.prompt,
                "options": [o.model_dump() for o in q.options],
                "chosen": q.chosen,
                "variant": q.variant,
            }
            for q in sheet.questions.values()
        ],
    }


def from_json(data: Mapping[str, Any], submitted_at: datetime, *, passed_before: bool) -> Sheet:
    """A sheet that was kept."""
    questions = {
        q["item"]: Question(**{**q, "options": tuple(Option(**o) for o in q["options"])}) for q in data["questions"]
    }
    return Sheet(data["attempt"], data["needed"], questions, submitted_at, passed_before)
