"""All content of an installation. Broken files are left out and named; the good ones are served."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import TypeVar

from tutor.content import labs, lessons
from tutor.content.models import Check, Item, Lab, LabScript, Lesson, QuestionBlock, Quiz
from tutor.content.source import Broken, Problem, digest, model, parse, read
from tutor.errors import NotFound

__all__ = ["Library", "Problem"]

T = TypeVar("T")
Scripts = dict[str, LabScript]
_LOOK_EVERY_S = 1.0
_ENDINGS = (".md", ".yaml", ".sh")


class Library:
    """Lessons, quizzes and labs below one directory; read again when a file changes.

    :param root: the directory that holds ``lessons/``, ``quizzes/`` and ``labs/``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._lock = Lock()
        self._stamp: tuple[tuple[str, int, int], ...] | None = None
        self._lessons: dict[str, Lesson] = {}
        self._quizzes: dict[str, Quiz] = {}
        self._labs: dict[str, Lab] = {}
        self._scripts: dict[str, tuple[Scripts, Scripts]] = {}
        self._problems: tuple[Problem, ...] = ()
        self._checked = 0.0
        self._fresh()

    # -- what there is ------------------------------------------------------------------------------

    def lessons(self) -> tuple[Lesson, ...]:
        """Every lesson that can be shown, by slug."""
        self._fresh()
        return tuple(self._lessons[s] for s in sorted(self._lessons))

    def quizzes(self) -> tuple[Quiz, ...]:
        """Every quiz that can be taken."""
        self._fresh()
        return tuple(self._quizzes[s] for s in sorted(self._quizzes))

    def labs(self) -> tuple[Lab, ...]:
        """Every lab that can be opened."""
        self._fresh()
        return tuple(self._labs[s] for s in sorted(self._labs))

    def lesson(self, slug: str) -> Lesson:
        """:raises NotFound: no such lesson, or its files are broken."""
        self._fresh()
        return _one(self._lessons, slug, "lesson")

    def quiz(self, slug: str) -> Quiz:
        """:raises NotFound: no such quiz, or its file is broken."""
        self._fresh()
        return _one(self._quizzes, slug, "quiz")

    def lab(self, slug: str) -> Lab:
        """:raises NotFound: no such lab, or its files are broken."""
        self._fresh()
        return _one(self._labs, slug, "lab")

    def lab_scripts(self, slug: str) -> tuple[Scripts, Scripts]:
        """(solutions, wrong repairs) of a lab, by file name without ending.

        :raises NotFound: no such lab.
        """
        self.lab(slug)
        return self._scripts[slug]

    def lab_directory(self, slug: str) -> Path:
        """Where a lab's files are."""
        return self.root / "labs" / slug

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything an author must mend, by file and line."""
        self._fresh()
        return self._problems

    # -- reading --------------------------------------------------------------------------------------

    def _fresh(self) -> None:
        """Read everything again when a file changed (size or time); looked at once a second at most."""
        now = time.monotonic()
        if self._stamp is not None and now - self._checked < _LOOK_EVERY_S:
            return
        with self._lock:
            self._checked = now
            stamp = tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in self._files())
            if stamp != self._stamp:
                self._read()
                self._stamp = stamp

    def _files(self) -> Iterator[Path]:
        for top in ("lessons", "quizzes", "labs"):
            yield from sorted(p for p in (self.root / top).rglob("*") if p.suffix in _ENDINGS and p.is_file())

    def _read(self) -> None:
        problems: list[Problem] = []
        found_lessons = self._each("lessons", "lesson.md", lessons.load, problems)
        found_labs = self._each("labs", "lab.yaml", labs.load, problems)
        found_quizzes: dict[str, Quiz] = {}
        for path in sorted((self.root / "quizzes").glob("*.yaml")):
            try:
                found_quizzes[path.stem] = _quiz(self.root, path)
            except Broken as e:
                problems += e.problems
        scripts = {slug: self._read_scripts(lab, problems) for slug, lab in found_labs.items()}
        problems += _references(found_lessons, found_quizzes, found_labs, self.root)
        self._lessons, self._quizzes, self._labs, self._scripts = found_lessons, found_quizzes, found_labs, scripts
        self._problems = tuple(sorted(set(problems)))

    def _each(self, top: str, marker: str, load: Callable[[Path, Path], T], problems: list[Problem]) -> dict[str, T]:
        found: dict[str, T] = {}
        for path in sorted((self.root / top).glob(f"*/{marker}")):
            try:
                found[path.parent.name] = load(self.root, path.parent)
            except Broken as e:
                problems += e.problems
        return found

    def _read_scripts(self, lab: Lab, problems: list[Problem]) -> tuple[Scripts, Scripts]:
        out: list[Scripts] = []
        for kind in ("solutions", "wrong"):
            good: Scripts = {}
            for name, script in labs.scripts(self.root, self.root / "labs" / lab.slug, lab, kind):
                if isinstance(script, Broken):
                    problems += script.problems
                else:
                    good[name] = script
            out.append(good)
        return out[0], out[1]


def _one(kind: dict[str, T], slug: str, word: str) -> T:
    found = kind.get(slug)
    if found is None:
        listed = ", ".join(sorted(kind)) or "none"
        raise NotFound(f"There is no {word} called {slug}.", cure=f"There are: {listed}.")
    return found


def _quiz(root: Path, path: Path) -> Quiz:
    name = path.relative_to(root).as_posix()
    text = read(root, path)
    source = parse(name, text)
    if isinstance(source.value, dict) and source.value.get("slug", path.stem) != path.stem:
        raise Broken([source.problem(("slug",), f'the slug must be the file\'s name, "{path.stem}"')])
    if isinstance(source.value, dict):
        source.value["slug"] = path.stem
    quiz = model(Quiz, source, digest=digest(text))
    problems = []
    for i, item in enumerate(quiz.items):
        if [o.id for o in quiz.items].count(item.id) > 1:
            problems.append(source.problem(("items", i), f'two items have the id "{item.id}"'))
        for j, variant in enumerate(item.variants):
            where = ("items", i, "variants", j)
            right = sum(o.correct for o in variant.options)
            if right != 1:
                problems.append(
                    source.problem(where, f"{item.id}/{variant.id}: exactly one option must be correct, not {right}")
                )
            if len({o.id for o in variant.options}) < len(variant.options):
                problems.append(source.problem(where, f"{item.id}/{variant.id}: two options have the same id"))
        if len({v.id for v in item.variants}) < len(item.variants):
            problems.append(source.problem(("items", i), f"{item.id}: two variants have the same id"))
    if problems:
        raise Broken(problems)
    return quiz


def _references(
    found_lessons: dict[str, Lesson], quizzes: dict[str, Quiz], found_labs: dict[str, Lab], root: Path
) -> Iterator[Problem]:
    """What one file says of another. A lesson whose quiz is missing cannot be served."""
    for slug, lesson in list(found_lessons.items()):
        name = f"lessons/{slug}/lesson.md"
        quiz = quizzes.get(lesson.meta.quiz)
        if quiz is None:
            yield Problem(name, 1, f'the quiz "{lesson.meta.quiz}" does not exist or is broken')
            del found_lessons[slug]
            continue
        if lesson.meta.lab and not (root / "labs" / lesson.meta.lab / "lab.yaml").exists():
            yield Problem(name, 1, f'the lab "{lesson.meta.lab}" does not exist')
        blocks = [*lesson.intro, *(b for s in lesson.sections for b in s.blocks)]
        placed = [b.item for b in blocks if isinstance(b, QuestionBlock)]
        inline = [i.id for i in quiz.items if i.placement == "inline"]
        for item in placed:
            if item not in inline:
                yield Problem(name, 1, f'the quiz has no inline item "{item}"')
        for item in inline:
            if placed.count(item) != 1:
                yield Problem(name, 1, f'the inline item "{item}" must be placed once, not {placed.count(item)} times')
        if set(placed) != set(inline):
            del found_lessons[slug]
        objectives = {o.id for o in lesson.meta.objectives}
        yield from _objectives(f"quizzes/{quiz.slug}.yaml", quiz.items, objectives)
        lab = found_labs.get(lesson.meta.lab or "")
        if lab is not None:
            yield from _objectives(f"labs/{lab.slug}/lab.yaml", [c for s in lab.stages for c in s.checks], objectives)
    for lab in found_labs.values():
        if lab.lesson not in found_lessons:
            yield Problem(f"labs/{lab.slug}/lab.yaml", 1, f'the lesson "{lab.lesson}" does not exist or is broken')


def _objectives(file: str, items: Iterable[Item | Check], known: set[str]) -> Iterator[Problem]:
    for item in items:
        for objective in item.objectives:
            if objective not in known:
                yield Problem(file, 1, f'{item.id}: the lesson has no objective "{objective}"')
