"""All content of an installation. Broken files are left out and named; the good ones are served."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from tutor.content import labs, lessons, quizzes, references
from tutor.content.models import Lab, LabScript, Lesson, Quiz
from tutor.content.source import SLUG, Broken, Lines, Problem
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
            stamp = self._look()
            if stamp != self._stamp:
                self._read()
                self._stamp = stamp

    def _look(self) -> tuple[tuple[str, int, int], ...]:
        """(path, time, size) of every file; one that is being replaced at this moment counts as gone."""
        found = []
        for top in ("lessons", "quizzes", "labs"):
            for path in sorted((self.root / top).rglob("*")):
                if path.suffix in _ENDINGS:
                    try:
                        stat = path.stat()
                    except FileNotFoundError:
                        continue
                    found.append((str(path), stat.st_mtime_ns, stat.st_size))
        return tuple(found)

    def _read(self) -> None:
        problems: list[Problem] = []
        lines: Lines = {}
        found_lessons = self._each("lessons/*/lesson.md", lessons.load, problems, lines)
        found_labs = self._each("labs/*/lab.yaml", labs.load, problems, lines)
        found_quizzes = self._each("quizzes/*.yaml", quizzes.load, problems, lines)
        scripts = {slug: self._read_scripts(lab, problems) for slug, lab in found_labs.items()}
        problems += references.check(found_lessons, found_quizzes, found_labs, self.root, lines)
        self._lessons, self._quizzes, self._labs, self._scripts = found_lessons, found_quizzes, found_labs, scripts
        self._problems = tuple(sorted(set(problems)))

    def _each(
        self, pattern: str, load: Callable[[Path, Path, Lines], T], problems: list[Problem], lines: Lines
    ) -> dict[str, T]:
        """What the files of a pattern hold, by slug: the name of the folder, or of the file without its ending."""
        found: dict[str, T] = {}
        for path in sorted(self.root.glob(pattern)):
            in_folder = pattern.count("/") == 2
            slug = path.parent.name if in_folder else path.stem
            if not SLUG.fullmatch(slug):
                message = "its name must be small letters, digits and single hyphens: it becomes part of an address"
                problems.append(Problem(path.relative_to(self.root).as_posix(), 1, message))
                continue
            try:
                found[slug] = load(self.root, path.parent if in_folder else path, lines)
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
