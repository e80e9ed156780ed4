"""``lessons/<slug>/`` -> :class:`tutor.content.models.Lesson`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path as File

from tutor.content import markdown
from tutor.content.models import HtmlBlock, Lesson, LessonMeta, Path, PathBlock, QuestionBlock, Section, Term
from tutor.content.source import Broken, Problem, digest, model, models, parse, read

_HEADING = re.compile(r"^##\s+(.+?)\s*(?:\{#([a-z0-9-]+)\})?\s*$")
_DIRECTIVE = re.compile(r"^\{\{\s*(path|question)\s*(?::\s*([a-z0-9-]+)\s*)?\}\}\s*$")
_WORDS_A_MINUTE = 200
Block = HtmlBlock | QuestionBlock | PathBlock


def load(root: File, directory: File) -> Lesson:
    """One lesson.

    :raises Broken: with every problem of its files.
    """
    path = directory / "lesson.md"
    name = path.relative_to(root).as_posix()
    text = read(root, path)
    front, body, first = _split(name, text)
    meta = model(LessonMeta, parse(name, front, 2))
    glossary = _optional(root, directory / "glossary.yaml")
    terms = models(Term, parse(*glossary)) if glossary else ()
    figure = _optional(root, directory / "path.yaml")
    path_model = model(Path, parse(*figure)) if figure else None
    intro, sections = _sections(name, body, first)
    lesson = Lesson(
        slug=directory.name,
        meta=meta,
        intro=intro,
        sections=sections,
        glossary=terms,
        path=path_model,
        words=markdown.words(body),
        minutes=0,
        digest=digest(text, *(t[1] for t in (glossary, figure) if t)),
    )
    problems = list(_check(lesson, name, body, first))
    if problems:
        raise Broken(problems)
    questions = sum(isinstance(b, QuestionBlock) for b in _blocks(lesson))
    return lesson.model_copy(update={"minutes": math.ceil(lesson.words / _WORDS_A_MINUTE) + questions})


def _optional(root: File, path: File) -> tuple[str, str] | None:
    return (path.relative_to(root).as_posix(), read(root, path)) if path.exists() else None


def _split(name: str, text: str) -> tuple[str, str, int]:
    """Front matter, body, and the body's first line."""
    lines = text.split("\n")
    if not lines or lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:]):
        raise Broken([Problem(name, 1, "must begin with front matter between two lines of ---")])
    end = next(i for i, line in enumerate(lines[1:], 1) if line.strip() == "---")
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]), end + 2


def _sections(name: str, body: str, first: int) -> tuple[tuple[Block, ...], tuple[Section, ...]]:
    """The text cut at level-two headings and directives; code fences are left whole."""
    intro: list[Block] = []
    sections: list[tuple[str, str, list[Block]]] = []
    target: list[Block] = intro
    piece: list[str] = []
    fence = ""

    def flush() -> None:
        if "".join(piece).strip():
            target.append(HtmlBlock(html=markdown.render("\n".join(piece))))
        piece.clear()

    for number, line in enumerate(body.split("\n"), first):
        marker = re.match(r"\s*(```+|~~~+)", line)
        if marker and (not fence or line.strip() == fence):
            fence = "" if fence else marker[1]
        if not fence and (heading := _HEADING.match(line)):
            flush()
            slug = heading[2] or re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-")
            target = []
            sections.append((slug, markdown.inline(heading[1]), target))
        elif not fence and line.lstrip().startswith("{{"):
            directive = _DIRECTIVE.match(line)
            if directive is None or (directive[1] == "question") != bool(directive[2]):
                raise Broken([Problem(name, number, "a directive is {{ path }} or {{ question: item-id }}")])
            flush()
            target.append(PathBlock() if directive[1] == "path" else QuestionBlock(item=directive[2]))
        else:
            piece.append(line)
    flush()
    return tuple(intro), tuple(Section(id=i, title=t, blocks=tuple(b)) for i, t, b in sections)


def _blocks(lesson: Lesson) -> Iterator[Block]:
    yield from lesson.intro
    for section in lesson.sections:
        yield from section.blocks


def _line_of(body: str, first: int, needle: str) -> int:
    return next((i for i, line in enumerate(body.split("\n"), first) if needle in line), first)


def _check(lesson: Lesson, name: str, body: str, first: int) -> Iterator[Problem]:
    """What no schema can say: ids that must be unique or exist."""
    ids = [s.id for s in lesson.sections]
    for double in {i for i in ids if ids.count(i) > 1}:
        yield Problem(name, _line_of(body, first, f"#{double}"), f'two headings have the id "{double}"')
    terms = {t.id for t in lesson.glossary}
    for used in dict.fromkeys(re.findall(r"\]\(term:([a-z0-9-]+)\)", body)):
        if used not in terms:
            yield Problem(name, _line_of(body, first, f"term:{used}"), f'the glossary has no term "{used}"')
    anchors = set(ids) | {f"term-{t}" for t in terms} | set(re.findall(r"\{#([a-z0-9-]+)\}", body))
    for used in dict.fromkeys(re.findall(r"\]\(#([a-z0-9-]+)\)", body)):
        if used not in anchors:
            yield Problem(name, _line_of(body, first, f"(#{used})"), f'nothing on the page has the id "{used}"')
    folder = name.rpartition("/")[0]
    for term in lesson.glossary:
        for other in term.see:
            if other not in terms:
                yield Problem(
                    f"{folder}/glossary.yaml", 1, f'term "{term.id}" refers to "{other}", which does not exist'
                )
    has_path = any(isinstance(b, PathBlock) for b in _blocks(lesson))
    if has_path and lesson.path is None:
        yield Problem(name, _line_of(body, first, "{{ path"), "the path figure needs path.yaml beside the lesson")
    if lesson.path is not None:
        stages = [s.id for s in lesson.path.stages]
        for run in lesson.path.runs:
            if [s.stage for s in run.steps] != stages:
                yield Problem(
                    f"{folder}/path.yaml",
                    1,
                    f'run "{run.id}" must show every stage once, in order: {", ".join(stages)}',
                )
