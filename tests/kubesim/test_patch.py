"""Patches as rules: what each kind does to lists, maps and nulls."""

from __future__ import annotations

from typing import Any

import pytest

from tutor.kubesim import patch, schema
from tutor.kubesim.registry import BY_PLURAL
from tutor.kubesim.status import ApiError

POD = schema.schema_of(BY_PLURAL["pods"])
SERVICE = schema.schema_of(BY_PLURAL["services"])


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)} | spec}


A, B = {"name": "a", "image": "one"}, {"name": "b", "image": "two"}


@pytest.mark.parametrize(
    ("given", "change", "expected"),
    [
        pytest.param(pod(A, B), pod({"name": "b", "image": "new"}), pod(A, {"name": "b", "image": "new"}), id="by-key"),
        pytest.param(pod(A), pod(B), pod(A, B), id="new-item"),
        pytest.param(pod(A, B), pod({"name": "a", "$patch": "delete"}), pod(B), id="delete-item"),
        pytest.param(pod(A, B), pod({"$patch": "replace"}, B), pod(B), id="replace-list"),
        pytest.param(pod(A), pod({"name": "a", "image": None}), pod({"name": "a"}), id="null-in-item"),
        pytest.param(
            pod(A, B),
            {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}},
            pod(B, A),
            id="order",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["x", "y"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"], "finalizers": ["z"]}},
            {"metadata": {"finalizers": ["y", "z"]}},
            id="primitives",
        ),
        pytest.param(
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
            {"metadata": {"labels": {"a": None, "c": "3"}}},
            {"metadata": {"labels": {"b": "2", "c": "3"}}},
            id="map",
        ),
        pytest.param(
            {"metadata": {"labels": {"a": "1"}}},
            {"metadata": {"labels": {"$patch": "replace", "b": "2"}}},
            {"metadata": {"labels": {"b": "2"}}},
            id="replace-map",
        ),
        pytest.param(
            pod({"name": "a", "command": ["x", "y"]}),
            pod({"name": "a", "command": ["z"]}),
            pod({"name": "a", "command": ["z"]}),
            id="atomic-list",
        ),
        pytest.param(
            pod(A, volumes=[{"name": "v", "emptyDir": {}}]),
            pod(volumes=[{"name": "v", "configMap": {"name": "m"}, "$retainKeys": ["name", "configMap"]}]),
            pod(A, volumes=[{"name": "v", "configMap": {"name": "m"}}]),
            id="retain-keys",
        ),
    ],
)
def test_strategic_merge(given: dict[str, Any], change: dict[str, Any], expected: dict[str, Any]) -> None:
    assert patch.strategic(given, change, POD) == expected


def test_strategic_merge_needs_the_key() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        patch.strategic(pod(A), pod({"image": "new"}), POD)


@pytest.mark.parametrize(
    ("given", "change", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"b": 1}}, {"a": {"c": None, "d": 2}}, {"a": {"b": 1, "d": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": "text"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"a": 1}, [1], [1]),
    ],
)
def test_merge(given: Any, change: Any, expected: Any) -> None:
    assert patch.merge(given, change) == expected


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/none"}],
        [{"op": "test", "path": "/a", "value": 2}],
        [{"op": "fly", "path": "/a"}],
        [{"op": "replace", "path": "no-slash", "value": 1}],
        [{"path": "/a"}],
        ["text"],
        [None],
    ],
)
def test_json_patch_refuses(operations: list[Any]) -> None:
    given = {"a": 1}
    with pytest.raises(ApiError) as told:
        patch.json_patch(given, operations)
    assert told.value.code == 422
    assert given == {"a": 1}


def test_json_patch_does_not_touch_the_original() -> None:
    given = {"a": {"b": [1]}}
    assert patch.json_patch(given, [{"op": "add", "path": "/a/b/-", "value": 2}]) == {"a": {"b": [1, 2]}}
    assert given == {"a": {"b": [1]}}
