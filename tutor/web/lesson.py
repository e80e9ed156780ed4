"""The lesson page. Prose, figure, glossary and sources are prepared once for each version of a lesson; a request adds
only what differs between readers: their answers and whether the lab is open."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from threading import Lock

from flask import Blueprint, Response, make_response, render_template, session
from flask_wtf.csrf import generate_csrf

from tutor.content.models import HtmlBlock, Lab, Lesson, Path, PathBlock, QuestionBlock
from tutor.errors import KubetutorError
from tutor.learning.sheet import Sheet
from tutor.web.assets import assets_version
from tutor.web.context import services

bp = Blueprint("lesson", __name__)

_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_KEPT = 64
_FORM_MARK = "@form-token@"


@dataclass(frozen=True)
class Part:
    """A stretch of finished HTML, or the place of a question."""

    html: str = ""
    item: str = ""


@dataclass(frozen=True)
class Prepared:
    """Everything of a lesson that is the same for every reader."""

    digest: str
    intro: tuple[Part, ...]
    sections: Mapping[str, tuple[Part, ...]]
    questions: Mapping[str, tuple[str, ...]]
    tail: str


_prepared: dict[str, Prepared] = {}
_pages: dict[tuple[object, ...], tuple[int | None, tuple[object, ...], str]] = {}
_lock = Lock()


def prepare(lesson: Lesson) -> Prepared:
    """The prepared lesson; made again when its files changed."""
    known = _prepared.get(lesson.slug)
    if known is not None and known.digest == lesson.digest:
        return known
    path_html = _path(lesson.path) if lesson.path else ""
    tables = count(1)
    intro = _parts(lesson.intro, path_html, tables)
    sections = {s.id: _parts(s.blocks, path_html, tables) for s in lesson.sections}
    made = Prepared(
        digest=lesson.digest,
        intro=intro,
        sections=sections,
        questions={id: tuple(p.item for p in parts if p.item) for id, parts in sections.items()},
        tail=render_template("lesson/tail.html", lesson=lesson, by_id={t.id: t for t in lesson.glossary}),
    )
    with _lock:
        if len(_prepared) >= _KEPT:
            _prepared.clear()
        _prepared[lesson.slug] = made
    return made


def _path(path: Path) -> str:
    return render_template("lesson/path.html", path=path, titles={s.id: s.title for s in path.stages})


def _parts(
    blocks: Iterable[HtmlBlock | QuestionBlock | PathBlock], path_html: str, tables: Iterator[int]
) -> tuple[Part, ...]:
    parts: list[Part] = []
    for block in blocks:
        if isinstance(block, QuestionBlock):
            parts.append(Part(item=block.item))
        else:
            html = path_html if isinstance(block, PathBlock) else _scrollable(block.html, tables)
            if parts and parts[-1].html:
                html = parts.pop().html + html
            parts.append(Part(html=html))
    return tuple(parts)


def _scrollable(html: str, tables: Iterator[int]) -> str:
    """Wide tables and code scroll inside their own box, which the keyboard can reach."""

    def box(table: re.Match[str]) -> str:
        label = f"Table {next(tables)}"
        return f'<div class="table-scroll" role="region" aria-label="{label}" tabindex="0">{table[0]}</div>'

    return _TABLE.sub(box, html.replace("<pre>", '<pre tabindex="0">'))


@bp.get("/lessons/<slug>")
def show(slug: str) -> Response:
    """The lesson with the reader's answers in place."""
    return page(slug)


def page(slug: str, *, missing: str = "") -> Response:
    """The lesson page; ``missing`` names a question that was sent without an answer."""
    if session.get("lesson") != slug:
        session["lesson"] = slug
    html = _html(slug, missing).replace(_FORM_MARK, generate_csrf())
    return make_response(html, 400 if missing else 200)


def _html(slug: str, missing: str) -> str:
    """The page but for the form token: kept as long as neither the content nor the database changes."""
    s = services()
    learner = s.learner_id()
    lesson = s.library.lesson(slug)
    lab = lab_of(lesson)
    # Read before the records are: whatever is committed meanwhile makes this page old.
    version = s.database.version()
    place = (id(s), learner, slug, missing)
    content = (lesson.digest, s.library.quiz(lesson.meta.quiz).digest, lab and lab.digest, assets_version())
    known = _pages.get(place)
    if known is not None and version is not None and known[:2] == (version, content):
        return known[2]
    sheet = s.quizzes.sheet(learner, slug)
    unlocked = lab is not None and s.labs.unlocked(learner, lab.slug)
    html = _render(lesson, sheet, lab, unlocked, missing)
    with _lock:
        if len(_pages) >= _KEPT:
            _pages.clear()
        _pages[place] = (version, content, html)
    return html


def _render(lesson: Lesson, sheet: Sheet, lab: Lab | None, unlocked: bool, missing: str) -> str:
    """The page with a mark where each visitor's own form token goes: all else depends on the arguments alone."""
    return render_template(
        "lesson/show.html",
        lesson=lesson,
        slug=lesson.slug,
        prepared=prepare(lesson),
        sheet=sheet,
        inline_total=sheet.inline_total,
        inline_answered=sheet.inline_answered,
        passed=sheet.passed_before,
        lab=lab,
        unlocked=unlocked,
        missing=missing,
        csrf_token=lambda: _FORM_MARK,
    )


def lab_of(lesson: Lesson) -> Lab | None:
    """The lesson's lab, if it has one whose files are sound."""
    if lesson.meta.lab is None:
        return None
    try:
        return services().library.lab(lesson.meta.lab)
    except KubetutorError:
        return None  # a lab whose files are broken is named by the library's problems; the lesson is still served


@bp.get("/glossary")
def glossary() -> str:
    """The terms of every lesson."""
    lessons = [
        (lesson, {t.id: t for t in lesson.glossary}) for lesson in services().library.lessons() if lesson.glossary
    ]
    return render_template("lesson/glossary.html", lessons=lessons)
