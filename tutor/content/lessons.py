"""``lessons/<slug>/`` -> :class:`tutor.content.models.Lesson`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path as File

from tutor.content import markdown
from tutor.content.models import HtmlBlock, Lesson, LessonMeta, Path, PathBlock, QuestionBlock, Section, Term
from tutor.content.source import SLUG, Broken, Lines, Problem, Source, digest, doubles, model, models, parse, read

Block = HtmlBlock | QuestionBlock | PathBlock
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*(?:\{#([^}]*)\})?\s*$")
_DIRECTIVE = re.compile(r"^\{\{\s*(path|question)\s*(?::\s*([a-z0-9-]+)\s*)?\}\}\s*$")
_LOOKS_LIKE_ONE = re.compile(r"^\s*\{\{|\{\{\s*(path|question)\b")
_PARTS = frozenset({"objectives", "wrap-up", "lab", "glossary", "sources"})
"""Ids of the page's own parts: text may link to them, headings may not take them."""
_PREFIXES = ("term-", "q-", "path-")
_WORDS_A_MINUTE = 200
_CODE_WORDS_A_MINUTE = 100


def load(root: File, directory: File, lines: Lines) -> Lesson:
    """One lesson.

    :param lines: where each objective and each question's place is noted.
    :raises Broken: with every problem of its files.
    """
    path = directory / "lesson.md"
    name = path.relative_to(root).as_posix()
    text = read(root, path)
    front, body, first = _split(name, text)
    meta_source = parse(name, front, 2)
    meta = model(LessonMeta, meta_source)
    glossary = _optional(root, directory / "glossary.yaml")
    figure = _optional(root, directory / "path.yaml")
    terms = models(Term, glossary) if glossary else ()
    figure_model = model(Path, figure) if figure else None
    cut = _Cut(name, body, first, lines)
    problems = [
        *cut.problems,
        *(
            meta_source.problem(("objectives", i), f'two objectives have the id "{o}"')
            for i, o in _ids(meta.objectives)
        ),
        *_check_links(name, body, first, cut.ids, {t.id for t in terms}),
        *(_check_glossary(terms, glossary) if glossary else ()),
        *(_check_path(figure_model, figure) if figure and figure_model else ()),
    ]
    if figure_model is None and (name, "path") in lines:
        problems.append(Problem(name, lines[name, "path"], "the path figure needs path.yaml beside the lesson"))
    if problems:
        raise Broken(problems)
    words, code = markdown.words(body), markdown.code_words(body)
    reading = (words - code) / _WORDS_A_MINUTE + code / _CODE_WORDS_A_MINUTE
    return Lesson(
        slug=directory.name,
        meta=meta,
        intro=tuple(cut.intro),
        sections=tuple(Section(id=i, title=t, blocks=tuple(b)) for i, t, b in cut.sections),
        glossary=terms,
        path=figure_model,
        words=words,
        minutes=math.ceil(reading) + cut.questions,
        digest=digest(
            text, *(read(root, directory / f) for f in ("glossary.yaml", "path.yaml") if (directory / f).exists())
        ),
    )


def _optional(root: File, path: File) -> Source | None:
    return parse(path.relative_to(root).as_posix(), read(root, path)) if path.exists() else None


def _ids(things: Iterable[Term] | Iterable[object]) -> Iterator[tuple[int, str]]:
    return doubles([str(getattr(t, "id", "")) for t in things])


def _split(name: str, text: str) -> tuple[str, str, int]:
    """Front matter, body, and the body's first line."""
    lines = text.split("\n")
    if lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:]):
        raise Broken([Problem(name, 1, "must begin with front matter between two lines of ---")])
    end = next(i for i, line in enumerate(lines[1:], 1) if line.strip() == "---")
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]), end + 2


class _Cut:
    """The text cut at level-two headings and directives. Code is left whole: what stands in it is no heading."""

    def __init__(self, name: str, body: str, first: int, lines: Lines) -> None:
        self.intro: list[Block] = []
        self.sections: list[tuple[str, str, list[Block]]] = []
        self.problems: list[Problem] = []
        self.ids: set[str] = set()
        self.questions = 0
        self._name, self._lines, self._target, self._piece = name, lines, self.intro, list[str]()
        fence = 0
        for number, (line, bare) in enumerate(
            zip(body.split("\n"), markdown.prose(body).split("\n"), strict=True), first
        ):
            fence = fence or (number if re.match(r"\s*(```|~~~)", bare) else 0)
            if bare.startswith("#") and (heading := _HEADING.match(line)):
                self._heading(number, line, heading)
            elif _LOOKS_LIKE_ONE.search(bare):
                self._directive(number, line)
            else:
                self._piece.append(line)
        self._flush()
        if fence:
            self.problems.append(Problem(name, fence, "this block of code is never closed"))

    def _flush(self) -> None:
        if "".join(self._piece).strip():
            self._target.append(HtmlBlock(html=markdown.render("\n".join(self._piece))))
        self._piece.clear()

    def _heading(self, number: int, line: str, heading: re.Match[str]) -> None:
        level, title, given = len(heading[1]), heading[2], heading[3]
        slug = given if given is not None else re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        if level == 1:
            self._problem(number, "the title stands in the front matter: headings of the text begin with ##")
        elif given is not None or level == 2:
            if not SLUG.fullmatch(slug):
                self._problem(
                    number,
                    "a heading needs an id like {#allow-dns}: small letters, digits and single hyphens, at most 64",
                )
            elif slug in self.ids:
                self._problem(number, f'two headings have the id "{slug}"')
            elif slug in _PARTS or slug.startswith(_PREFIXES):
                self._problem(number, f'the id "{slug}" belongs to a part of the page: take another one')
            self.ids.add(slug)
        if level != 2:
            self._piece.append(line)
        elif not self.problems:
            self._flush()
            self._target = []
            self.sections.append((slug, markdown.inline(title), self._target))

    def _directive(self, number: int, line: str) -> None:
        directive = _DIRECTIVE.match(line)
        if directive is None or (directive[1] == "question") != bool(directive[2]):
            self._problem(number, "a directive is {{ path }} or {{ question: item-id }}, on a line of its own")
            return
        self._flush()
        if directive[1] == "path":
            self._lines[self._name, "path"] = number
            self._target.append(PathBlock())
        elif not SLUG.fullmatch(directive[2]):
            self._problem(number, f'"{directive[2][:64]}" cannot be the id of a question')
        else:
            self._lines[self._name, f"question:{directive[2]}"] = number
            self._target.append(QuestionBlock(item=directive[2]))
            self.questions += 1

    def _problem(self, number: int, message: str) -> None:
        self.problems.append(Problem(self._name, number, message))


def _check_links(name: str, body: str, first: int, ids: set[str], terms: set[str]) -> Iterator[Problem]:
    anchors = (
        ids | _PARTS | {f"term-{t}" for t in terms} | set(re.findall(r"\{:?\s*#([a-z0-9-]+)", markdown.prose(body)))
    )
    for offset, target in markdown.links(body):
        kind, _, to = target.partition(":") if target.startswith("term:") else ("#", "", target[1:])
        if kind == "term" and to not in terms:
            yield Problem(name, first + offset, f'the glossary has no term "{to}"')
        if kind == "#" and to not in anchors:
            yield Problem(name, first + offset, f'nothing on the page has the id "{to}"')


def _check_glossary(terms: tuple[Term, ...], source: Source) -> Iterator[Problem]:
    known = {t.id for t in terms}
    for i, double in _ids(terms):
        yield source.problem((i, "id"), f'two terms have the id "{double}"')
    for i, term in enumerate(terms):
        for j, other in enumerate(term.see):
            if other not in known:
                yield source.problem((i, "see", j), f'term "{term.id}" refers to "{other}", which does not exist')
        for _, target in markdown.links(term.definition):
            if target.startswith("term:") and target.removeprefix("term:") not in known:
                yield source.problem((i, "definition"), f'the glossary has no term "{target.removeprefix("term:")}"')


def _check_path(path: Path, source: Source) -> Iterator[Problem]:
    stages = [s.id for s in path.stages]
    for i, double in _ids(path.stages):
        yield source.problem(("stages", i), f'two stages have the id "{double}"')
    for i, double in _ids(path.runs):
        yield source.problem(("runs", i), f'two runs have the id "{double}"')
    for i, run in enumerate(path.runs):
        if [s.stage for s in run.steps] != stages:
            yield source.problem(
                ("runs", i, "steps"), f'run "{run.id}" must show every stage once, in order: {", ".join(stages)}'
            )
