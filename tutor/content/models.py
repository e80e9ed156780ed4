"""What authors write, as frozen typed models. Files become these in :mod:`tutor.content.loader`; nothing else parses content.

Prose fields hold Markdown source; rendered HTML lives in the ``*Html`` fields that the loader fills.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Model(BaseModel):
    """Base of all content models: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# -- lessons -------------------------------------------------------------------------------------


class Objective(Model):
    """One thing the learner can do afterwards; quiz items and lab checks refer to its id."""

    id: Slug
    text: Text


class Source(Model):
    """An upstream document that a claim of the lesson rests on."""

    title: Text
    url: Annotated[str, StringConstraints(pattern=r"^https://")]
    publisher: Text
    note: str = ""


class LessonMeta(Model):
    """The front matter of ``lessons/<slug>/lesson.md``."""

    title: Text
    summary: Text
    level: Text
    quiz: Slug
    lab: Slug | None = None
    objectives: tuple[Objective, ...] = Field(min_length=1)
    sources: tuple[Source, ...] = Field(min_length=1)


class Term(Model):
    """A glossary entry (``glossary.yaml``: a list of these). ``definition`` is inline Markdown."""

    id: Slug
    term: Text
    definition: Text
    core: bool = False
    """One of the lesson's components that a candidate must name."""
    see: tuple[Slug, ...] = ()


class PathStage(Model):
    """One stage of the path a request takes (``path.yaml``)."""

    id: Slug
    title: Text
    does: Text
    """What happens in this stage, one sentence."""
    evidence: Text
    """What this stage leaves behind when it worked, one sentence."""


class PathStep(Model):
    """What one run shows at one stage."""

    stage: Slug
    status: Literal["passed", "stopped", "not-reached"]
    happens: Text
    evidence: str = ""
    """The log line or command output that this run leaves at this stage; empty when it leaves none."""


class PathRun(Model):
    """One request followed along the path: healthy, or broken."""

    id: Slug
    title: Text
    summary: Text
    """The whole run told in two or three sentences: the figure's text version."""
    client_sees: Text
    steps: tuple[PathStep, ...] = Field(min_length=1)


class Path(Model):
    """The lesson's path figure: stages in order and the runs over them."""

    title: Text
    stages: tuple[PathStage, ...] = Field(min_length=2)
    runs: tuple[PathRun, ...] = Field(min_length=1)


class HtmlBlock(Model):
    """A stretch of rendered prose."""

    kind: Literal["html"] = "html"
    html: str


class QuestionBlock(Model):
    """An inline question stands here (written ``{{ question: item-id }}`` on a line of its own)."""

    kind: Literal["question"] = "question"
    item: Slug


class PathBlock(Model):
    """The path figure stands here (written ``{{ path }}``)."""

    kind: Literal["path"] = "path"


class Section(Model):
    """A level-two heading and what follows it."""

    id: Slug
    title: str
    blocks: tuple[HtmlBlock | QuestionBlock | PathBlock, ...]


class Lesson(Model):
    """A lesson, ready to show."""

    slug: Slug
    meta: LessonMeta
    intro: tuple[HtmlBlock | QuestionBlock | PathBlock, ...]
    """What stands before the first level-two heading."""
    sections: tuple[Section, ...]
    glossary: tuple[Term, ...]
    path: Path | None
    words: int
    minutes: int
    """Reading time computed from the text (words / 200, code slower) plus one minute for each inline question, rounded up."""
    digest: str


# -- quizzes -------------------------------------------------------------------------------------


class Option(Model):
    """One answer of a question. Every option explains itself, right or wrong."""

    id: Slug
    text: Text
    correct: bool = False
    explanation: Text


class Variant(Model):
    """One wording of an item; exactly one option is correct (checked by the loader)."""

    id: Slug
    prompt: Text
    options: tuple[Option, ...] = Field(min_length=3, max_length=6)


class Item(Model):
    """A question with its variants. ``inline`` items stand in the lesson's text, ``wrap-up`` items on the closing form."""

    id: Slug
    placement: Literal["inline", "wrap-up"]
    objectives: tuple[Slug, ...] = Field(min_length=1)
    variants: tuple[Variant, ...] = Field(min_length=1)


class Quiz(Model):
    """``quizzes/<slug>.yaml``. Passing is ``pass_ratio`` of all items, rounded up."""

    slug: Slug
    title: Text
    pass_ratio: float = Field(gt=0, le=1)
    items: tuple[Item, ...] = Field(min_length=1)
    digest: str = ""


# -- labs ----------------------------------------------------------------------------------------


class Actor(Model):
    """A workload of the lab, found by its Deployment (never by labels the learner may change)."""

    id: Slug
    namespace: Slug
    deployment: Slug
    about: Text


class Flow(Model):
    """Traffic one check sends: from an actor (or ``canary``) to an actor (or ``dns``), at a pod port."""

    source: Slug
    to: Slug
    port: int = Field(ge=1, le=65535)
    protocol: Literal["TCP", "UDP"] = "TCP"
    via: Literal["service", "pod"] = "pod"
    """``service``: by DNS name and service port, as the app does it. ``pod``: by pod address and pod port."""
    service_port: int | None = None
    why: str = ""
    """What a failure means to the app, one sentence."""


class Hint(Model):
    """Three tiers, opened on purpose: a nudge, the way, the answer."""

    nudge: Text
    way: Text
    answer: Text


class Choice(Model):
    """One answer of a question inside the lab."""

    id: Slug
    text: Text
    correct: bool = False
    explanation: Text


class Check(Model):
    """One thing a stage demands. ``kind`` names the code in :mod:`tutor.verify` that decides it; ``params`` are that kind's own."""

    id: Slug
    kind: Slug
    title: Text
    objectives: tuple[Slug, ...] = ()
    params: dict[str, Any] = {}
    choices: tuple[Choice, ...] = ()
    """For kind ``question`` only."""


class Stage(Model):
    """One step of the lab. ``momentary``: checked when it is reached, never shown as regressed once repaired."""

    id: Slug
    title: Text
    brief: Text
    """Markdown: what to do and why."""
    momentary: bool = False
    checks: tuple[Check, ...] = Field(min_length=1)
    hints: Hint


class LabStep(Model):
    """One step of a solution or a wrong repair: what to apply, run or answer to pass (or fail) one stage."""

    stage: Slug
    apply: tuple[str, ...] = ()
    """Manifest files beside the script, or YAML documents when the string holds a newline."""
    delete: tuple[str, ...] = ()
    """``namespace/kind/name`` of objects to delete."""
    patch: tuple[dict[str, Any], ...] = ()
    """Each: ``{target: namespace/kind/name, patch: <strategic merge patch>}``."""
    answers: dict[str, str] = {}
    """check id -> choice id."""


class LabScript(Model):
    """``solutions/*.yaml`` and ``wrong/*.yaml``."""

    title: Text
    providers: tuple[str, ...] = ()
    """Empty: every provider."""
    starts_from: str = ""
    """A wrong repair may name a solution whose steps are run for the earlier stages."""
    steps: tuple[LabStep, ...] = Field(min_length=1)
    fails_at: str = ""
    """Wrong repairs: the id of the check that must fail."""
    says: str = ""
    """Wrong repairs: a phrase that the failed check's message must hold."""


class Lab(Model):
    """``labs/<slug>/lab.yaml``."""

    slug: Slug
    title: Text
    summary: Text
    lesson: Slug
    minutes: int = Field(ge=5, le=240)
    providers: tuple[Literal["simulated", "kind", "shared"], ...] = Field(min_length=1)
    namespaces: tuple[Slug, ...] = Field(min_length=1)
    """All namespaces the lab makes and owns; the first one is the console's default."""
    actors: tuple[Actor, ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1)
    brief_html: str = ""
    manifests: tuple[tuple[str, str], ...] = ()
    """(file name, YAML text) in the order they are applied; filled by the loader from ``manifests/``."""
    digest: str = ""
