"""Parts that misbehave on purpose, each under a name that says how."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tutor.clusters.provider import Access, Availability, ClusterSpec, ClusterState, Handle, Role
from tutor.content.models import Actor, Check, Choice, Hint, Lab, Stage
from tutor.errors import NotFound, ProvisionError

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)

MANIFEST = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "busybox:1.36", imagePullPolicy: IfNotPresent, command: [sleep, "86400"]}
"""


def small_lab(**changes: Any) -> Lab:
    """A lab of three stages: look, break (momentary), repair with a question."""
    hints = Hint(nudge="Look.", way="Look there.", answer="It is there.")
    choices = (
        Choice(id="right", text="Yes", correct=True, explanation="Yes, because."),
        Choice(id="wrong", text="No", explanation="No, because."),
    )
    stages = (
        Stage(
            id="look", title="Look", brief="Look.", checks=(Check(id="seen", kind="flows", title="Seen"),), hints=hints
        ),
        Stage(
            id="break",
            title="Break",
            brief="Break it.",
            momentary=True,
            checks=(Check(id="broken", kind="flows", title="Broken"),),
            hints=hints,
        ),
        Stage(
            id="repair",
            title="Repair",
            brief="Repair it.",
            checks=(
                Check(id="works", kind="flows", title="Works"),
                Check(id="why", kind="question", title="Why?", choices=choices),
            ),
            hints=hints,
        ),
    )
    values: dict[str, Any] = {
        "slug": "small",
        "title": "A small lab",
        "summary": "Small.",
        "lesson": "lesson",
        "minutes": 10,
        "providers": ("simulated", "kind"),
        "namespaces": ("shop",),
        "actors": (Actor(id="web", namespace="shop", deployment="web", about="Web."),),
        "stages": stages,
        "manifests": (("10-shop.yaml", MANIFEST),),
        "digest": "d1",
    }
    return Lab(**(values | changes))


@dataclass
class Shelf:
    """A library of given labs."""

    shelf: tuple[Lab, ...]

    def lab(self, slug: str) -> Lab:
        found = next((lab for lab in self.shelf if lab.slug == slug), None)
        if found is None:
            raise NotFound(f"There is no lab {slug}.")
        return found

    def labs(self) -> Iterable[Lab]:
        return self.shelf


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


@dataclass(frozen=True)
class Verdict:
    """Stands for a result of the verifier."""

    outcome: str
    message: str = ""
    advice: tuple[str, ...] = ()
    checks: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "checks": list(self.checks)}


def evidence(outcome: str = "open", **changes: Any) -> dict[str, Any]:
    """One recorded piece of evidence."""
    return {
        "at": START.isoformat(),
        "kind": "observed",
        "source": "web",
        "destination": "api",
        "port": 8080,
        "protocol": "TCP",
        "outcome": outcome,
        "expected": outcome,
        "control": False,
        "detail": f"2026-01-01T12:00:00Z call=api target=http://api/ outcome={outcome} ms=3",
        "decided_by": "shop/allow | x",
        "ms": 3,
    } | changes


@dataclass
class ScriptedVerifier:
    """Answers what it is told to: ``outcomes`` by stage, ``passed`` for the rest."""

    outcomes: dict[str, str] = field(default_factory=dict)
    preflight_outcome: str = "passed"
    during: Callable[[], None] = field(default=lambda: None)
    """Called while a check runs."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def run_stage(
        self, lab: Lab, stage_id: str, access: Access, *, answers: Mapping[str, str], now: Callable[[], datetime]
    ) -> Any:
        self.asked.append((stage_id, dict(answers)))
        self.during()
        stage = next(s for s in lab.stages if s.id == stage_id)
        outcome = self.outcomes.get(stage_id, "passed")
        checks: list[dict[str, Any]] = []
        for c in stage.checks:
            if c.choices:
                right = answers.get(c.id) == "right"
                checks.append({"check": c.id, "outcome": "passed" if right else "failed", "message": "answer"})
            else:
                checks.append(
                    {"check": c.id, "outcome": outcome, "message": f"{c.id} {outcome}", "evidence": [evidence(outcome)]}
                )
        worst = [c["outcome"] for c in checks]
        whole = "failed" if "failed" in worst else "could-not-check" if "could-not-check" in worst else "passed"
        return Verdict(whole, checks=tuple(checks))

    def preflight(self, lab: Lab, access: Access) -> Any:
        return Verdict(self.preflight_outcome, "This cluster enforces no policy.", ("Use another one.",))


class MemoryProvider:
    """Clusters that exist in a dictionary; takes objects at once."""

    name = "simulated"

    def __init__(self) -> None:
        self.clusters: dict[str, list[Mapping[str, Any]]] = {}
        self.made = 0
        self.deleted: list[str] = []

    def available(self) -> Availability:
        return Availability(True)

    def create(self, spec: ClusterSpec) -> Handle:
        if spec.lab_id not in self.clusters:
            self.made += 1
            self.clusters[spec.lab_id] = []
        return Handle(self.name, spec.lab_id, {"n": 1})

    def state(self, handle: Handle) -> ClusterState:
        return ClusterState.READY if handle.lab_id in self.clusters else ClusterState.ABSENT

    def access(self, handle: Handle, role: Role) -> Access:
        if handle.lab_id not in self.clusters:
            raise NotFound("This lab's cluster is gone.")
        return Access("https://127.0.0.1:1/x", "ca", token=role.value)

    def delete(self, handle: Handle) -> None:
        if self.clusters.pop(handle.lab_id, None) is not None:
            self.deleted.append(handle.lab_id)

    def owned(self) -> Iterable[Handle]:
        return [Handle(self.name, i) for i in self.clusters]

    def apply_bulk(self, handle: Handle, objects: Sequence[Mapping[str, Any]]) -> None:
        self.clusters[handle.lab_id] = list(objects)


class SlowProvider(MemoryProvider):
    """Makes a cluster only when it is let: ``entered`` is set once somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.let = threading.Event()

    def create(self, spec: ClusterSpec) -> Handle:
        self.entered.set()
        assert self.let.wait(20)
        return super().create(spec)


class BrokenProvider(MemoryProvider):
    """Cannot make clusters until it is mended."""

    broken = True

    def create(self, spec: ClusterSpec) -> Handle:
        if self.broken:
            raise ProvisionError("The container engine is not running.", cure="Start it.")
        return super().create(spec)


class VanishingProvider(MemoryProvider):
    """Loses every cluster right after it made it."""

    def access(self, handle: Handle, role: Role) -> Access:
        self.clusters.pop(handle.lab_id, None)
        return super().access(handle, role)


class CrashingProvider(MemoryProvider):
    """Raises something nobody expects."""

    def create(self, spec: ClusterSpec) -> Handle:
        raise ZeroDivisionError("a defect")


class UndeletableProvider(MemoryProvider):
    """Cannot delete until it is mended."""

    stuck = True

    def delete(self, handle: Handle) -> None:
        if self.stuck:
            raise ProvisionError("The container engine is not running.")
        super().delete(handle)
