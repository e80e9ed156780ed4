"""Results keep everything through JSON."""

from __future__ import annotations

import json

import pytest

from tests.verify.fakes import NOW
from tutor.verify.result import CheckResult, Evidence, Outcome, StageResult, together


def test_there_and_back() -> None:
    evidence = Evidence(NOW, "observed", "shop/web", "10.0.0.1", 80, "TCP", "open", "timeout", True, "x", "p rule 1", 3)
    check = CheckResult("c", Outcome.FAILED, "No.", ("why",), ("hint",), (evidence,), "other")
    result = StageResult("s", Outcome.FAILED, (check,), NOW, NOW)
    assert StageResult.from_json(json.loads(json.dumps(result.to_json()))) == result


@pytest.mark.parametrize(
    ("outcomes", "whole"),
    [
        ("pp", Outcome.PASSED),
        ("pc", Outcome.COULD_NOT_CHECK),
        ("cf", Outcome.FAILED),
        ("fp", Outcome.FAILED),
        ("", Outcome.PASSED),
    ],
)
def test_the_outcome_of_several(outcomes: str, whole: Outcome) -> None:
    letters = {"p": Outcome.PASSED, "f": Outcome.FAILED, "c": Outcome.COULD_NOT_CHECK}
    assert together([letters[o] for o in outcomes]) is whole
