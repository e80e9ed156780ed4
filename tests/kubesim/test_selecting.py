"""Label and field selectors of requests, and durations as tables print them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tutor.kubesim import selecting, table
from tutor.kubesim.status import ApiError

LABELS = {"app": "web", "tier": "front", "empty": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=api", False),
        ("app!=api", True),
        ("missing!=x", True),
        ("app in (web,api)", True),
        ("app in (api)", False),
        ("app notin (api)", True),
        ("missing notin (x)", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("!app", False),
        ("empty=", True),
        ("example.com/role=a", False),
        (" app = web , tier in ( front , back ) ", True),
    ],
)
def test_labels(text: str, expected: bool) -> None:
    assert selecting.labels(text)({"metadata": {"labels": LABELS}}) is expected


@pytest.mark.parametrize("text", ["a in (b", "a in", "=b", "a b", "a in (b) c"])
def test_labels_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ApiError, match="unable to parse requirement") as told:
        selecting.labels(text)
    assert told.value.code == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata.name=p", True),
        ("metadata.name!=p", False),
        ("status.phase=Running,metadata.namespace=x", True),
        ("spec.nodeName=", True),
        ("spec.nodeName!=node", True),
    ],
)
def test_fields(text: str, expected: bool) -> None:
    pod = {"metadata": {"name": "p", "namespace": "x"}, "status": {"phase": "Running"}}
    assert selecting.fields("pods", text)(pod) is expected


@pytest.mark.parametrize("text", ["spec.color=red", "name", "status=x"])
def test_fields_that_cannot_be_used(text: str) -> None:
    with pytest.raises(ApiError) as told:
        selecting.fields("pods", text)
    assert told.value.code == 400


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (30 * 86400, "30d"),
    ],
)
def test_ages(seconds: int, expected: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert table.age((now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ"), now) == expected
