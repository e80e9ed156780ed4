"""Patches: merge (RFC 7386), JSON (RFC 6902, by the jsonpatch library) and strategic merge.

The strategic merge rules (merge keys, ``$patch``, ``$retainKeys``, ``$deleteFromPrimitiveList``) come from the schemas'
``x-kubernetes-patch-*`` hints.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import jsonpatch

from tutor.kubesim import schema as schemas
from tutor.kubesim.status import ApiError


def merge(target: Any, patch: Any) -> Any:
    """JSON merge patch: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


def json_patch(target: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    """A list of operations.

    :raises ApiError: an operation that cannot be carried out.
    """
    if not isinstance(patch, list):
        raise ApiError(400, "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    try:
        out: dict[str, Any] = jsonpatch.apply_patch(copy.deepcopy(dict(target)), patch)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError) as e:
        raise ApiError(
            422, f"the server rejected our request due to an error in our request: {e}", reason="Invalid"
        ) from e
    return out


def strategic(target: Any, patch: Any, schema: Mapping[str, Any]) -> Any:
    """Strategic merge patch of one object against its schema."""
    schema = schemas.resolve(schema)
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    if directive == "replace":
        return {k: v for k, v in patch.items() if k != "$patch"}
    if directive == "delete":
        return {}
    out = dict(target) if isinstance(target, dict) else {}
    retain = patch.get("$retainKeys")
    if retain is not None:
        out = {k: v for k, v in out.items() if k in retain}
    properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, value in patch.items():
        if key.startswith("$setElementOrder/") or key in ("$retainKeys", "$patch"):
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            out[name] = [v for v in out.get(name) or [] if v not in value]
            continue
        if value is None:
            out.pop(key, None)
            continue
        below = properties.get(key) or (extra if isinstance(extra, dict) else {})
        out[key] = (
            _list(out.get(key), value, below) if isinstance(value, list) else strategic(out.get(key), value, below)
        )
    for key, order in patch.items():
        if key.startswith("$setElementOrder/"):
            name = key.partition("/")[2]
            if isinstance(out.get(name), list):
                out[name] = _ordered(out[name], order, schemas.resolve(properties.get(name) or {}))
    return out


def _list(target: Any, patch: list[Any], schema: Mapping[str, Any]) -> list[Any]:
    schema = schemas.resolve(schema)
    strategy = str(schema.get("x-kubernetes-patch-strategy") or "")
    if "merge" not in strategy.split(",") or any(
        isinstance(p, dict) and p.get("$patch") == "replace" and len(p) == 1 for p in patch
    ):
        return [p for p in patch if not (isinstance(p, dict) and p.get("$patch") == "replace" and len(p) == 1)]
    out = list(target or [])
    key = schema.get("x-kubernetes-patch-merge-key")
    if key is None:
        return out + [p for p in patch if p not in out]
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise ApiError(400, f"map: {json.dumps(item)} does not contain declared merge key: {key}")
        at = next((i for i, o in enumerate(out) if o.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            out = [o for o in out if o.get(key) != item[key]]
        elif at is None:
            out.append({k: v for k, v in item.items() if not k.startswith("$")})
        else:
            out[at] = strategic(out[at], item, schema.get("items") or {})
    return out


def _ordered(items: list[Any], order: list[Any], schema: Mapping[str, Any]) -> list[Any]:
    key = schema.get("x-kubernetes-patch-merge-key")
    wanted = [o.get(key) if isinstance(o, dict) else o for o in order]

    def place(item: Any) -> int:
        value = item.get(key) if isinstance(item, dict) else item
        return wanted.index(value) if value in wanted else len(wanted)

    return sorted(items, key=place)
