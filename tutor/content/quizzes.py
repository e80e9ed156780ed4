"""``quizzes/<slug>.yaml`` -> :class:`tutor.content.models.Quiz`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tutor.content.models import Quiz
from tutor.content.source import Broken, Lines, Problem, Source, digest, doubles, model, parse, read


def load(root: Path, path: Path, lines: Lines) -> Quiz:
    """One question bank.

    :param lines: where each item's line is noted.
    :raises Broken: with every problem of the file.
    """
    name = path.relative_to(root).as_posix()
    text = read(root, path)
    source = parse(name, text)
    quiz = model(Quiz, source, slug=path.stem, digest=digest(text))
    problems = list(_check(quiz, source))
    if problems:
        raise Broken(problems)
    for i, item in enumerate(quiz.items):
        lines[name, item.id] = source.line(("items", i))
    return quiz


def _check(quiz: Quiz, source: Source) -> Iterator[Problem]:
    for i, double in doubles([item.id for item in quiz.items]):
        yield source.problem(("items", i), f'two items have the id "{double}"')
    for i, item in enumerate(quiz.items):
        for j, double in doubles([v.id for v in item.variants]):
            yield source.problem(("items", i, "variants", j), f'{item.id}: two variants have the id "{double}"')
        for j, variant in enumerate(item.variants):
            where = ("items", i, "variants", j)
            right = sum(o.correct for o in variant.options)
            if right != 1:
                yield source.problem(where, f"{item.id}/{variant.id}: exactly one option must be correct, not {right}")
            for k, double in doubles([o.id for o in variant.options]):
                yield source.problem(
                    (*where, "options", k), f'{item.id}/{variant.id}: two options have the id "{double}"'
                )
