"""What one content file says of another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tutor.content.models import Check, Item, Lab, Lesson, QuestionBlock, Quiz
from tutor.content.source import Lines, Problem


def check(
    lessons: dict[str, Lesson], quizzes: dict[str, Quiz], labs: dict[str, Lab], root: Path, lines: Lines
) -> Iterator[Problem]:
    """Every reference that leads nowhere. A lesson that cannot be served without it is taken out of ``lessons``."""
    for slug, lesson in list(lessons.items()):
        name = f"lessons/{slug}/lesson.md"
        quiz = quizzes.get(lesson.meta.quiz)
        if quiz is None:
            yield Problem(name, 1, f'the quiz "{lesson.meta.quiz}" does not exist or is broken')
            del lessons[slug]
            continue
        if lesson.meta.lab and not (root / "labs" / lesson.meta.lab / "lab.yaml").exists():
            yield Problem(name, 1, f'the lab "{lesson.meta.lab}" does not exist')
        misplaced = list(_placing(name, lesson, quiz, lines))
        if misplaced:
            yield from misplaced
            del lessons[slug]
        objectives = {o.id for o in lesson.meta.objectives}
        yield from _objectives(f"quizzes/{quiz.slug}.yaml", quiz.items, objectives, lines)
        lab = labs.get(lesson.meta.lab or "")
        if lab is not None:
            checks = [c for s in lab.stages for c in s.checks]
            yield from _objectives(f"labs/{lab.slug}/lab.yaml", checks, objectives, lines)
    for lab in labs.values():
        file = f"labs/{lab.slug}/lab.yaml"
        if lab.lesson not in lessons:
            yield Problem(
                file, lines.get((file, "lesson"), 1), f'the lesson "{lab.lesson}" does not exist or is broken'
            )


def _placing(name: str, lesson: Lesson, quiz: Quiz, lines: Lines) -> Iterator[Problem]:
    """Inline items and the places in the text must match one to one."""
    blocks = [*lesson.intro, *(b for s in lesson.sections for b in s.blocks)]
    placed = [b.item for b in blocks if isinstance(b, QuestionBlock)]
    inline = [i.id for i in quiz.items if i.placement == "inline"]
    for item in dict.fromkeys(placed):
        if item not in inline:
            yield Problem(name, lines.get((name, f"question:{item}"), 1), f'the quiz has no inline item "{item}"')
    for item in inline:
        if placed.count(item) == 0:
            file = f"quizzes/{quiz.slug}.yaml"
            yield Problem(file, lines.get((file, item), 1), f'the inline item "{item}" is not placed in {name}')
        elif placed.count(item) > 1:
            line = lines.get((name, f"question:{item}"), 1)
            yield Problem(name, line, f'the inline item "{item}" is placed {placed.count(item)} times, not once')


def _objectives(file: str, items: Iterable[Item | Check], known: set[str], lines: Lines) -> Iterator[Problem]:
    for item in items:
        for objective in item.objectives:
            if objective not in known:
                line = lines.get((file, item.id), 1)
                yield Problem(file, line, f'{item.id}: the lesson has no objective "{objective}"')
