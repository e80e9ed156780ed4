"""``labs/<slug>/`` -> :class:`tutor.content.models.Lab`, its solutions and its wrong repairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tutor.content import markdown
from tutor.content.models import Hint, Lab, LabScript, LabStep
from tutor.content.source import Broken, Lines, Problem, Source, digest, doubles, model, parse, read


def load(root: Path, directory: Path, lines: Lines) -> Lab:
    """One lab; briefs and hints rendered, manifests read.

    :param lines: where each check's line is noted.
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
    folder = name.rpartition("/")[0]
    deployments, wrong = _deployments(folder, manifests)
    problems += wrong
    if not wrong:
        problems += _check_actors(lab, source, deployments)
    if not any((directory / "solutions").glob("*.yaml")):
        problems.append(Problem(name, 1, "a lab needs at least one solution in solutions/, which must pass"))
    if problems:
        raise Broken(problems)
    lines[name, "lesson"] = source.line(("lesson",))
    for i, stage in enumerate(lab.stages):
        for j, check in enumerate(stage.checks):
            lines[name, check.id] = source.line(("stages", i, "checks", j))
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


def _deployments(folder: str, manifests: tuple[tuple[str, str], ...]) -> tuple[set[tuple[str, str]], list[Problem]]:
    """(namespace, name) of every Deployment of the manifests, and what is wrong with the files."""
    found: set[tuple[str, str]] = set()
    problems: list[Problem] = []
    for file, text in manifests:
        try:
            for source in parse_all(f"{folder}/manifests/{file}", text):
                if source.value is None:
                    continue
                if not isinstance(source.value, dict) or not {"apiVersion", "kind", "metadata"} <= set(source.value):
                    problems.append(source.problem((), "a manifest has apiVersion, kind and metadata"))
                elif source.value["kind"] == "Deployment" and isinstance(source.value["metadata"], dict):
                    meta = source.value["metadata"]
                    found.add((str(meta.get("namespace", "default")), str(meta.get("name"))))
        except Broken as e:
            problems += e.problems
    return found, problems


def _check_actors(lab: Lab, source: Source, deployments: set[tuple[str, str]]) -> Iterator[Problem]:
    for i, actor in enumerate(lab.actors):
        if actor.namespace not in lab.namespaces:
            message = f'actor "{actor.id}" lives in "{actor.namespace}", which the lab does not own'
            yield source.problem(("actors", i, "namespace"), message)
        elif (actor.namespace, actor.deployment) not in deployments:
            message = f'no manifest has the Deployment "{actor.deployment}" in namespace "{actor.namespace}"'
            yield source.problem(("actors", i, "deployment"), message)


def _check(lab: Lab, source: Source) -> Iterator[Problem]:
    for i, double in doubles([s.id for s in lab.stages]):
        yield source.problem(("stages", i), f'two stages have the id "{double}"')
    for i, double in doubles([a.id for a in lab.actors]):
        yield source.problem(("actors", i), f'two actors have the id "{double}"')
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
            for k, double in doubles([c.id for c in check.choices]):
                yield source.problem((*where, "choices", k), f'{check.id}: two choices have the id "{double}"')


def scripts(root: Path, directory: Path, lab: Lab, kind: str) -> Iterator[tuple[str, LabScript | Broken]]:
    """(file name without ending, script) of ``solutions`` or ``wrong``."""
    for path in sorted((directory / kind).glob("*.yaml")):
        name = path.relative_to(root).as_posix()
        try:
            source = parse(name, read(root, path))
            script = model(LabScript, source)
            problems = list(_check_script(lab, script, source, directory / kind))
            yield path.stem, Broken(problems) if problems else script
        except Broken as e:
            yield path.stem, e


def _check_script(lab: Lab, script: LabScript, source: Source, folder: Path) -> Iterator[Problem]:
    stages = [s.id for s in lab.stages]
    for i, provider in enumerate(script.providers):
        if provider not in lab.providers:
            yield source.problem(("providers", i), f'the lab does not run on "{provider}"')
    for i, step in enumerate(script.steps):
        if step.stage not in stages:
            yield source.problem(("steps", i), f'the lab has no stage "{step.stage}"')
        yield from _check_step(lab, step, source, i, folder)
    if folder.name == "solutions":
        if [s.stage for s in script.steps] != stages:
            yield source.problem(("steps",), f"a solution has one step for each stage, in order: {', '.join(stages)}")
        return
    if script.fails_at not in {c.id for s in lab.stages for c in s.checks}:
        yield source.problem(("fails_at",), f'fails_at must name a check of the lab, not "{script.fails_at}"')
    if not script.says:
        yield source.problem(("says",), "says must hold a phrase of the message the learner gets")
    if script.starts_from and not (folder.parent / "solutions" / f"{script.starts_from}.yaml").exists():
        yield source.problem(("starts_from",), f'there is no solution "{script.starts_from}"')


def _check_step(lab: Lab, step: LabStep, source: Source, i: int, folder: Path) -> Iterator[Problem]:
    questions = {c.id: {o.id for o in c.choices} for s in lab.stages for c in s.checks if c.kind == "question"}
    for check, choice in step.answers.items():
        if choice not in questions.get(check, ()):
            yield source.problem(("steps", i, "answers", check), f'no question "{check}" has the choice "{choice}"')
    for j, text in enumerate(step.apply):
        where = ("steps", i, "apply", j)
        if "\n" in text:
            try:
                list(parse_all(source.file, text))
            except Broken as e:
                yield source.problem(where, e.problems[0].message)
        elif not (folder / text).is_file():
            yield source.problem(where, f'there is no file "{text}" beside this one')
    targets = [("delete", j, t) for j, t in enumerate(step.delete)]
    targets += [("patch", j, str(p.get("target", ""))) for j, p in enumerate(step.patch)]
    for field, j, target in targets:
        if len(target.split("/")) != 3 or not target.split("/")[1] or not target.split("/")[2]:
            yield source.problem(("steps", i, field, j), f'"{target}" must be namespace/kind/name')
