"""What a verification answers: three states, a sentence, a diagnosis, and the evidence it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class Outcome(StrEnum):
    """Passed, failed, or not checked for a reason that is ours (never scored against the learner)."""

    PASSED = "passed"
    FAILED = "failed"
    COULD_NOT_CHECK = "could-not-check"


@dataclass(frozen=True)
class Evidence:
    """One observation, or one thing computed from the policies. ``control``: shows that the observation means something."""

    at: datetime
    kind: Literal["observed", "computed"]
    source: str
    destination: str
    port: int
    protocol: str
    outcome: str
    expected: str
    control: bool = False
    detail: str = ""
    decided_by: str = ""
    ms: int = 0

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self) | {"at": self.at.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        """Back from :meth:`to_json`."""
        return cls(**{**data, "at": datetime.fromisoformat(data["at"])})


@dataclass(frozen=True)
class CheckResult:
    """The verdict of one check.

    :param message: one sentence for the learner.
    :param diagnosis: why it failed, most telling first.
    :param advice: worth knowing although it does not decide the check.
    :param skipped_because: the check this one depends on, when that one did not pass.
    """

    check: str
    outcome: Outcome
    message: str
    diagnosis: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    skipped_because: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self) | {"outcome": self.outcome.value, "evidence": [e.to_json() for e in self.evidence]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CheckResult:
        """Back from :meth:`to_json`."""
        return cls(
            **{
                **data,
                "outcome": Outcome(data["outcome"]),
                "diagnosis": tuple(data["diagnosis"]),
                "advice": tuple(data["advice"]),
                "evidence": tuple(Evidence.from_json(e) for e in data["evidence"]),
            }
        )


@dataclass(frozen=True)
class StageResult:
    """All checks of a stage. Failed when one failed, else not checked when one was not, else passed."""

    stage: str
    outcome: Outcome
    checks: tuple[CheckResult, ...]
    started: datetime
    finished: datetime

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "stage": self.stage,
            "outcome": self.outcome.value,
            "checks": [c.to_json() for c in self.checks],
            "started": self.started.isoformat(),
            "finished": self.finished.isoformat(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StageResult:
        """Back from :meth:`to_json`."""
        return cls(
            data["stage"],
            Outcome(data["outcome"]),
            tuple(CheckResult.from_json(c) for c in data["checks"]),
            datetime.fromisoformat(data["started"]),
            datetime.fromisoformat(data["finished"]),
        )


def together(outcomes: list[Outcome]) -> Outcome:
    """The outcome of several checks."""
    for worst in (Outcome.FAILED, Outcome.COULD_NOT_CHECK):
        if worst in outcomes:
            return worst
    return Outcome.PASSED
