"""One attempt at a lesson's questions, as the pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tutor.content.models import Option


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

    @property
    def right(self) -> bool:
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
        return sum(q.inline for q in self.questions.values())

    @property
    def total(self) -> int:
        return len(self.questions)

    @property
    def submitted(self) -> bool:
        return self.submitted_at is not None

    @property
    def answered(self) -> int:
        return sum(bool(q.chosen) for q in self.questions.values())

    @property
    def inline_answered(self) -> int:
        return sum(bool(q.chosen) for q in self.questions.values() if q.inline)

    @property
    def right(self) -> int:
        return sum(q.right for q in self.questions.values())

    @property
    def passed(self) -> bool:
        return self.submitted and self.right >= self.needed


def sheet_of(learner: str, slug: str) -> Sheet:
    from tutor.web.context import services

    return services().quizzes.sheet(learner, slug)


def result_of(learner: str, slug: str, attempt: int | None) -> Sheet | None:
    from tutor.web.context import services

    return services().quizzes.result(learner, slug, attempt)
