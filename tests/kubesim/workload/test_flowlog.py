"""The log of a workload, worked out from the history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.kubesim.workload.shop import DENY, DNS_UDP, START, build
from tutor.kubesim import flowlog
from tutor.kubesim.view import History


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


HISTORY = History(
    [
        build(at=START),
        build([DENY], at=START + seconds(60), revision=2),
        build([DENY, DNS_UDP], at=START + seconds(120), revision=3),
        build(at=START + seconds(180), revision=4),
    ]
)


def log(at: float, **options: Any) -> list[str]:
    """The web pod's log at a moment, in seconds after its start."""
    pod = HISTORY.epochs[0].get("pods", "shop", "web")
    assert pod is not None
    found = flowlog.lines(HISTORY, pod, pod["spec"]["containers"][0], now=START + seconds(at), **options)
    return [text for _, text in found]


def outcomes(at: float) -> dict[str, str]:
    """Call -> outcome in the round before a moment."""
    words = [dict(w.split("=", 1) for w in line.split()[1:]) for line in log(at, tail=4)]
    return {w["call"]: w["outcome"] for w in words}


def test_it_begins_with_the_start_line_and_waits_a_second() -> None:
    assert log(0.5)[0].startswith("2026-01-01T00:00:00Z start listen=8080/TCP:web call=api=http://api.shop/")
    assert len(log(0.5)) == 1
    assert len(log(1)) == 5


def test_a_line_has_the_form_of_the_scripts() -> None:
    line = log(1)[1]
    assert line.startswith("2026-01-01T00:00:01Z call=api target=http://api.shop/ outcome=ok ms=")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (50, {"api": "ok", "db": "ok", "nodns": "dns-failure", "closed": "refused"}),
        (110, {"api": "dns-failure", "db": "dns-failure", "nodns": "dns-failure", "closed": "timeout"}),
        (170, {"api": "timeout", "db": "timeout", "nodns": "dns-failure", "closed": "timeout"}),
        (230, {"api": "ok", "db": "ok", "nodns": "dns-failure", "closed": "refused"}),
    ],
)
def test_each_round_is_judged_by_the_state_then_in_force(at: float, expected: dict[str, str]) -> None:
    assert outcomes(at) == expected


def test_reading_again_gives_the_same() -> None:
    assert log(200) == log(200)


def test_time_only_adds() -> None:
    early = log(100)
    assert log(200)[: len(early)] == early


def test_tail_and_since() -> None:
    assert log(200, tail=3) == log(200)[-3:]
    assert log(200, tail=0) == []
    assert log(200, since=START + seconds(190)) == log(200)[-8:]


def test_a_long_life_is_bounded() -> None:
    assert len(log(90 * 86400)) == flowlog.MAX_LINES


def test_states_of_the_past_keep_no_compiled_policies() -> None:
    log(230)
    assert all("policy" not in epoch.cache for epoch in HISTORY.epochs[:-1])
    assert all(epoch.cache["attempts"] for epoch in HISTORY.epochs)


def test_the_next_round_is_announced() -> None:
    pod = HISTORY.epochs[0].get("pods", "shop", "web")
    quiet = HISTORY.epochs[0].get("pods", "shop", "db")
    assert pod is not None
    assert quiet is not None
    container = pod["spec"]["containers"][0]
    assert flowlog.next_due(pod, container, START) == START + seconds(1)
    assert flowlog.next_due(pod, container, START + seconds(1)) == START + seconds(6)
    assert flowlog.next_due(quiet, quiet["spec"]["containers"][0], START) is None
