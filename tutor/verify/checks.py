"""What a check is: it names its probes first; when all are sent, it decides. Here also the simplest one, a question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tutor.content.models import Check
from tutor.verify.context import Context
from tutor.verify.probe import Probe
from tutor.verify.result import CheckResult, Evidence, Outcome


class Kind(ABC):
    """One check of a stage: ``plan`` gives the probes it needs, ``decide`` its verdict from what was seen."""

    def __init__(self, check: Check, ctx: Context) -> None:
        self.check, self.ctx = check, ctx

    @classmethod
    def canaries(cls, check: Check) -> set[str]:
        """The namespaces in which it needs a fresh pod of the verifier's own."""
        return set()

    def plan(self) -> Sequence[Probe]:
        """The probes it needs.

        :raises CannotCheck: something they need is missing.
        """
        return ()

    @abstractmethod
    def decide(self) -> CheckResult:
        """The verdict, from what was seen."""

    def passed(self, message: str, evidence: Sequence[Evidence] = (), advice: Sequence[str] = ()) -> CheckResult:
        """A pass."""
        return CheckResult(
            self.check.id, Outcome.PASSED, message, advice=tuple(dict.fromkeys(advice)), evidence=tuple(evidence)
        )

    def failed(self, message: str, diagnosis: Sequence[str] = (), evidence: Sequence[Evidence] = ()) -> CheckResult:
        """A failure."""
        return CheckResult(self.check.id, Outcome.FAILED, message, tuple(dict.fromkeys(diagnosis)), (), tuple(evidence))

    def unknown(self, why: str, evidence: Sequence[Evidence] = ()) -> CheckResult:
        """The third state."""
        return could_not(self.check, why, evidence)


def could_not(check: Check, why: str, evidence: Sequence[Evidence] = ()) -> CheckResult:
    """The result of a check that something of ours stood in the way of."""
    message = f"Could not be checked: {why.rstrip('.')}. Nothing is held against you."
    return CheckResult(check.id, Outcome.COULD_NOT_CHECK, message, evidence=tuple(evidence))


class Question(Kind):
    """An answer the learner chose on the page."""

    def decide(self) -> CheckResult:
        """Right or wrong, with the choice's own explanation."""
        given = self.ctx.answers.get(self.check.id, "")
        choice = next((c for c in self.check.choices if c.id == given), None)
        if choice is None:
            return self.failed("Choose an answer.")
        return self.passed(choice.explanation) if choice.correct else self.failed(choice.explanation)
