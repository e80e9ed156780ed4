"""Leaves out marked tests whose tools are missing, and lists them with the cure at the end of the run.

With ``TEST_KUBETUTOR_REQUIRE_ALL=1`` (continuous integration) a missing tool fails the run instead.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.needs import NEEDS

_left_out = pytest.StashKey[Counter[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    strict = os.environ.get("TEST_KUBETUTOR_REQUIRE_ALL") == "1"
    counts: Counter[str] = Counter()
    for need in NEEDS:
        marked = [item for item in items if item.get_closest_marker(need.marker)]
        if not marked or need.present():
            continue
        if strict:
            raise pytest.UsageError(f"{need.what} is missing and every test was asked for. Cure: {need.cure}")
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"needs {need.what}. Cure: {need.cure}"))
        counts[f"{need.what}. Cure: {need.cure}"] += len(marked)
    config.stash[_left_out] = counts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash.get(_left_out, Counter())
    if getattr(config, "workerinput", None) is None and not counts:
        # Under xdist only the workers collect: their skips tell the same.
        reasons = Counter(
            str(report.longrepr[2]).removeprefix("Skipped: needs ")
            for report in terminalreporter.getreports("skipped")
            if isinstance(report.longrepr, tuple) and "Cure:" in str(report.longrepr[2])
        )
        counts = reasons
    if counts:
        terminalreporter.section("left out on this machine")
        for reason, number in sorted(counts.items()):
            terminalreporter.write_line(f"{number} tests need {reason}")
