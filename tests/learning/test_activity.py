"""Time told from actions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutor.learning.activity import PAUSE, active_time

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([], 0),
        ([5], 0),
        ([0, 5], 5),
        ([5, 0], 5),
        ([0, 5, 5, 6], 6),
        ([0, 15], 15),
        ([0, 15.1], 0),
        ([0, 5, 60, 62], 7),
    ],
)
def test_gaps_are_summed_and_breaks_left_out(minutes: list[float], expected: float) -> None:
    assert active_time(START + timedelta(minutes=m) for m in minutes) == timedelta(minutes=expected)


@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_never_longer_than_the_whole_span_nor_than_a_pause_a_gap(seconds: list[int]) -> None:
    found = active_time(START + timedelta(seconds=s) for s in seconds)
    span = timedelta(seconds=max(seconds) - min(seconds)) if seconds else timedelta()
    assert timedelta() <= found <= min(span, PAUSE * max(len(seconds) - 1, 0))
