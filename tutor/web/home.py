"""The first page: what this is, where one left off, and every lesson; and the authors' list of content problems."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, session, url_for

from tutor.content.models import Lab, Lesson
from tutor.errors import KubetutorError
from tutor.learning.sheet import Sheet
from tutor.web.context import services
from tutor.web.lesson import lab_of

bp = Blueprint("home", __name__)


@dataclass(frozen=True)
class Row:
    """One lesson of the list."""

    lesson: Lesson
    sheet: Sheet
    lab: Lab | None
    unlocked: bool


@dataclass(frozen=True)
class Resume:
    """Where to go on."""

    slug: str
    url: str
    label: str
    about: str


@bp.get("/")
def index() -> str:
    """Lessons, and the place to continue."""
    s = services()
    learner = s.learner_id()
    rows = []
    for lesson in s.library.lessons():
        try:
            sheet = s.quizzes.sheet(learner, lesson.slug)
        except KubetutorError:
            continue  # its quiz is broken: named among the content problems
        lab = lab_of(lesson)
        rows.append(Row(lesson, sheet, lab, lab is not None and s.labs.unlocked(learner, lab.slug)))
    return render_template("home/index.html", rows=rows, resume=_resume(rows), problems=len(s.library.problems))


def _resume(rows: list[Row]) -> Resume | None:
    """The lesson last read here, else the first one begun, else the first; then its next step."""
    if not rows:
        return None
    last = session.get("lesson")
    row = next((r for r in rows if r.lesson.slug == last), None) or next((r for r in rows if r.sheet.answered), rows[0])
    slug, title = row.lesson.slug, row.lesson.meta.title
    if row.unlocked and row.lab:
        return Resume("", url_for("labs.show", slug=row.lab.slug), "Continue in the lab", row.lab.title)
    if row.sheet.submitted:
        return Resume("", url_for("quiz.result", slug=slug), "See your result", title)
    if row.sheet.answered:
        return Resume(slug, url_for("lesson.show", slug=slug), "Continue where you left off", title)
    return Resume(slug, url_for("lesson.show", slug=slug), "Start reading", title)


@bp.get("/content")
def content() -> str:
    """Every problem of the content files, with file and line."""
    return render_template("home/content.html", problems=services().library.problems)
