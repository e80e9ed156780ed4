"""The simulated programs against outputs recorded from the real ones."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubesim.workload.shop import START, Ran, sh, view
from tutor.kubesim.shell.context import Context, Input, Io
from tutor.kubesim.shell.interpret import run_script

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "recorded.yaml").read_text())
_DATED = ("Date: ", "Last-Modified: ", "ETag: ", "Accept-Ranges: ")


def lines(text: str) -> list[str]:
    """Lines whose content depends on the moment or on the order in which answers arrive are left out or sorted."""
    kept = [line.rstrip() for line in text.replace("\r", "").split("\n") if not line.strip().startswith(_DATED)]
    return sorted(kept)


@pytest.mark.parametrize("case", CASES, ids=[f"{c['setup']}: {c['command'][:60]}" for c in CASES])
def test_output_and_code_are_those_of_the_real_program(case: dict[str, Any]) -> None:
    ran = sh(view(case["setup"]), case["command"])
    assert ran.code == case["code"], ran
    assert lines(ran.out) == lines(case["out"])
    assert lines(ran.err) == lines(case.get("err_1_36", case["err"]))


@pytest.mark.parametrize("case", [c for c in CASES if c["seconds"]], ids=lambda c: f"{c['setup']}: {c['command'][:60]}")
def test_waits_take_as_long_as_the_real_ones(case: dict[str, Any]) -> None:
    state = view(case["setup"])
    pod = state.get("pods", "shop", "tools")
    assert pod is not None
    ctx = Context(lambda: state, "shop", "tools", pod["spec"]["containers"][0], lambda: START, 0.0)
    code = asyncio.run(run_script(ctx, case["command"], Io(Input())))
    assert code == case["code"]
    assert abs(ctx.elapsed - case.get("seconds_1_36", case["seconds"])) <= 1


def test_the_answer_over_tcp_is_a_dns_message() -> None:
    ran: Ran = sh(view(), next(c["command"] for c in CASES if "od -An" in c["command"]))
    message = bytes.fromhex(ran.out.replace(" ", "").replace("\n", ""))
    assert int.from_bytes(message[:2]) == len(message) - 2
    assert message[-4:] == bytes([10, 96, 0, 1])
