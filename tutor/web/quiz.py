"""Answering: one question in the text at a time, the wrap-up on one form, the result, and the retake."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from tutor.errors import InvalidInput, NotFound
from tutor.learning.sheet import Sheet
from tutor.web import lesson as lesson_page
from tutor.web.context import services, wants_fragment

bp = Blueprint("quiz", __name__, url_prefix="/lessons/<slug>")

_PREFIX = "a."


def _attempt() -> int:
    try:
        return int(request.form.get("attempt", ""))
    except ValueError as e:
        raise InvalidInput(
            "The form does not say which attempt it belongs to.", cure="Reload the page and send it again."
        ) from e


@bp.post("/questions/<item>")
def answer(slug: str, item: str) -> BaseResponse:
    """Record the answer to a question of the text; back to that question, or the question itself for the page's script."""
    s = services()
    learner = s.learner_id()
    option = request.form.get("option", "")
    if not option:
        if wants_fragment():
            raise InvalidInput("Choose an answer first.")
        return lesson_page.page(slug, missing=item)
    s.quizzes.answer(learner, slug, item, option, attempt=_attempt())
    if not wants_fragment():
        return redirect(url_for("lesson.show", slug=slug, _anchor=f"q-{item}"), code=303)
    sheet = s.quizzes.sheet(learner, slug)
    html = render_template("lesson/question.html", q=sheet.questions[item], sheet=sheet, slug=slug, missing="")
    return make_response(html, {"X-Answered": str(sheet.inline_answered)})


@bp.get("/wrap-up")
def wrap_up(slug: str) -> BaseResponse:
    """The closing form; a submitted attempt leads to its result."""
    s = services()
    sheet = s.quizzes.sheet(s.learner_id(), slug)
    if sheet.submitted:
        return redirect(url_for("quiz.result", slug=slug), code=303)
    return _form(slug, sheet, {}, confirm=False)


def _form(slug: str, sheet: Sheet, chosen: dict[str, str], *, confirm: bool) -> Response:
    closing = [q for q in sheet.questions.values() if not q.inline]
    gaps = [q for q in sheet.questions.values() if not (q.chosen or chosen.get(q.item))]
    html = render_template(
        "quiz/wrap_up.html",
        lesson=services().library.lesson(slug),
        slug=slug,
        sheet=sheet,
        closing=closing,
        chosen=chosen,
        gaps=gaps,
        inline_gaps=[q for q in gaps if q.inline],
        confirm=confirm,
    )
    return make_response(html)


@bp.post("/wrap-up")
def submit(slug: str) -> BaseResponse:
    """Submit all answers. With gaps it asks once, keeping every answer; sent twice, it counts once."""
    s = services()
    learner = s.learner_id()
    attempt = _attempt()
    answers = {k.removeprefix(_PREFIX): v for k, v in request.form.items() if k.startswith(_PREFIX) and v}
    sheet = s.quizzes.sheet(learner, slug)
    confirmed = request.form.get("confirm") == "yes"
    if sheet.attempt == attempt and not sheet.submitted and not confirmed:
        known = {q.item for q in sheet.questions.values() if q.chosen} | set(answers)
        if any(item not in known for item in sheet.questions):
            return _form(slug, sheet, answers, confirm=True)
    s.quizzes.submit(learner, slug, answers, attempt=attempt)
    target = url_for("quiz.result", slug=slug, attempt=attempt)
    if wants_fragment():
        return make_response("", 204, {"X-Location": target})
    return redirect(target, code=303)


@bp.get("/result")
@bp.get("/result/<int(max=1000000):attempt>")
def result(slug: str, attempt: int | None = None) -> BaseResponse:
    """A submitted attempt, every question explained; without one, the wrap-up form."""
    s = services()
    learner = s.learner_id()
    lesson = s.library.lesson(slug)
    sheet = s.quizzes.result(learner, slug, attempt)
    if sheet is None:
        if attempt is not None:
            raise NotFound(f"There is no result of attempt {attempt}.", cure="Your profile lists every attempt.")
        return redirect(url_for("quiz.wrap_up", slug=slug), code=303)
    lab = lesson_page.lab_of(lesson)
    return make_response(render_template("quiz/result.html", lesson=lesson, slug=slug, sheet=sheet, lab=lab))


@bp.post("/retake")
def retake(slug: str) -> BaseResponse:
    """Begin the next attempt after ``attempt``; sent twice, it begins one."""
    s = services()
    s.quizzes.retake(s.learner_id(), slug, after=_attempt())
    sheet = s.quizzes.sheet(s.learner_id(), slug)
    first = next((q for q in sheet.questions.values() if q.inline), None)
    return redirect(url_for("lesson.show", slug=slug, _anchor=f"q-{first.item}" if first else None), code=303)
