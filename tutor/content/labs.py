"""``labs/<slug>/`` -> :class:`tutor.content.models.Lab`, its solutions and its wrong repairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tutor.content import markdown
from tutor.content.models import Hint, Lab, LabScript
from tutor.content.source import Broken, Problem, Source, digest, model, parse, read


def load(root: Path, directory: Path) -> Lab:
    """One lab; briefs and hints rendered, manifests read.

    :raises Broken: with every problem of its files.
    """
    path = directory / "lab.yaml"
    name = path.relative_to(root).as_posix()
    text = read(root, path)
    source = parse(name, text)
    brief_path = directory / "brief.md"
    brief = read(root, brief_path) if brief_path.exists() else ""
    manifests = tuple((p.name, read(root, p)) for p in sorted((directory / "manifests").glob("*.yaml")))
    filled = {
        "slug": directory.name,
        "brief_html": markdown.render(brief),
        "manifests": manifests,
        "digest": digest(text, brief, *(m[1] for m in manifests)),
    }
    lab = model(Lab, source, **filled)
    problems = list(_check(lab, source))
    for file, manifest in manifests:
        try:
            list(parse_all(f"{name.rpartition('/')[0]}/manifests/{file}", manifest))
        except Broken as e:
            problems += e.problems
    if problems:
        raise Broken(problems)
    stages = tuple(
        s.model_copy(
            update={
                "brief": markdown.render(s.brief),
                "hints": Hint(**{k: markdown.render(v) for k, v in s.hints.model_dump().items()}),
            }
        )
        for s in lab.stages
    )
    return lab.model_copy(update={"stages": stages})


def parse_all(name: str, text: str) -> Iterator[Source]:
    """Each document of a YAML stream.

    :raises Broken: one is no YAML.
    """
    line, chunk = 1, list[str]()
    for number, row in enumerate([*text.split("\n"), "---"], 1):
        if row.rstrip() == "---":
            if "".join(chunk).strip():
                yield parse(name, "\n".join(chunk), line)
            line, chunk = number + 1, []
        else:
            chunk.append(row)


def _check(lab: Lab, source: Source) -> Iterator[Problem]:
    for what, ids in (("stage", [s.id for s in lab.stages]), ("actor", [a.id for a in lab.actors])):
        for double in {i for i in ids if ids.count(i) > 1}:
            yield source.problem((f"{what}s",), f'two {what}s have the id "{double}"')
    seen: set[str] = set()
    for i, stage in enumerate(lab.stages):
        for j, check in enumerate(stage.checks):
            where = ("stages", i, "checks", j)
            if check.id in seen:
                yield source.problem(where, f'two checks have the id "{check.id}"')
            seen.add(check.id)
            if check.kind == "question" and sum(c.correct for c in check.choices) != 1:
                yield source.problem(where, f'question "{check.id}" must have exactly one correct choice')
            if check.kind != "question" and check.choices:
                yield source.problem(where, f'check "{check.id}" has choices but is no question')
    for i, actor in enumerate(lab.actors):
        if actor.namespace not in lab.namespaces:
            yield source.problem(
                ("actors", i), f'actor "{actor.id}" lives in "{actor.namespace}", which the lab does not own'
            )


def scripts(root: Path, directory: Path, lab: Lab, kind: str) -> Iterator[tuple[str, LabScript | Broken]]:
    """(file name without ending, script) of ``solutions`` or ``wrong``."""
    for path in sorted((directory / kind).glob("*.yaml")):
        name = path.relative_to(root).as_posix()
        try:
            source = parse(name, read(root, path))
            script = model(LabScript, source)
            problems = list(_check_script(lab, script, source, kind))
            yield path.stem, Broken(problems) if problems else script
        except Broken as e:
            yield path.stem, e


def _check_script(lab: Lab, script: LabScript, source: Source, kind: str) -> Iterator[Problem]:
    stages = [s.id for s in lab.stages]
    for i, step in enumerate(script.steps):
        if step.stage not in stages:
            yield source.problem(("steps", i), f'the lab has no stage "{step.stage}"')
    if kind == "solutions" and [s.stage for s in script.steps] != stages:
        yield source.problem(("steps",), f"a solution has one step for each stage, in order: {', '.join(stages)}")
    if kind == "wrong":
        checks = {c.id for s in lab.stages for c in s.checks}
        if script.fails_at not in checks:
            yield source.problem(("fails_at",), f'fails_at must name a check of the lab, not "{script.fails_at}"')
        if not script.says:
            yield source.problem((), "says must hold a phrase of the message the learner gets")
