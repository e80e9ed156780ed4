"""One attempt at a lesson's questions, as the pages ask for it."""

from __future__ import annotations

from tutor.learning.sheet import Question, Sheet
from tutor.web.context import services

__all__ = ["Question", "Sheet", "result_of", "sheet_of"]


def sheet_of(learner: str, slug: str) -> Sheet:
    """The newest attempt of a learner at a lesson."""
    found: Sheet = services().quizzes.sheet(learner, slug)
    return found


def result_of(learner: str, slug: str, attempt: int | None) -> Sheet | None:
    """A closed attempt, or None."""
    found: Sheet | None = services().quizzes.result(learner, slug, attempt)
    return found
