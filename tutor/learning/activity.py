"""Time spent, told from what was done: nothing watches the learner."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta

PAUSE = timedelta(minutes=15)
"""A longer silence between two actions is a break, not study."""


def active_time(moments: Iterable[datetime], pause: timedelta = PAUSE) -> timedelta:
    """The sum of the gaps between actions, breaks left out."""
    ordered = sorted(moments)
    gaps = (b - a for a, b in itertools.pairwise(ordered))
    return sum((g for g in gaps if g <= pause), timedelta())
