"""Patches: merge (RFC 7386), JSON (RFC 6902, by the jsonpatch library), strategic merge, and server-side apply.

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


# -- server-side apply ------------------------------------------------------------------------------------


def apply(
    target: Mapping[str, Any] | None, config: dict[str, Any], schema: Mapping[str, Any], manager: str, force: bool
) -> dict[str, Any]:
    """Server-side apply: merge a manager's intent, give it ownership, drop what it owned and no longer names.

    :raises ApiError: another manager owns a field that this one sets to something else, and ``force`` is off (409).
    """
    config = {k: v for k, v in config.items() if k != "status"}
    live = copy.deepcopy(dict(target)) if target is not None else {}
    managed = list((live.get("metadata") or {}).get("managedFields") or [])
    mine = paths(config)
    for entry in managed:
        if entry["manager"] == manager and entry["operation"] == "Apply":
            continue
        theirs = _decode(entry["fieldsV1"])
        clash = [p for p in mine & theirs if _at(live, p) != _at(config, p)]
        if clash and not force:
            raise _conflicts(entry["manager"], clash)
        if clash:
            entry["fieldsV1"] = _encode(theirs - set(clash))
    old = next((m for m in managed if m["manager"] == manager and m["operation"] == "Apply"), None)
    others = {p for m in managed if m is not old for p in _decode(m["fieldsV1"])}
    gone = (_decode(old["fieldsV1"]) if old else set()) - mine - others
    for path in gone:
        _remove(live, path)
    merged: dict[str, Any] = strategic(live, config, schema)
    entry = {"manager": manager, "operation": "Apply", "apiVersion": config["apiVersion"], "fieldsType": "FieldsV1"}
    managed = [m for m in managed if m is not old and m["fieldsV1"]] + [entry | {"fieldsV1": _encode(mine)}]
    merged.setdefault("metadata", {})["managedFields"] = managed
    return merged


Path = tuple[str, ...]


def paths(config: Mapping[str, Any], prefix: Path = ()) -> set[Path]:
    """The leaf fields a configuration sets; lists count as one field. Identity is nobody's."""
    out: set[Path] = set()
    for key, value in config.items():
        path = (*prefix, key)
        if path in (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")):
            continue
        if isinstance(value, dict) and value:
            out |= paths(value, path)
        elif path[:2] != ("metadata", "managedFields"):
            out.add(path)
    return out


def _encode(fields: set[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(fields):
        node = tree
        for part in path:
            node = node.setdefault(f"f:{part}", {})
    return tree


def _decode(tree: Mapping[str, Any], prefix: Path = ()) -> set[Path]:
    out: set[Path] = set()
    for key, below in tree.items():
        path = (*prefix, key[2:])
        out |= _decode(below, path) if below else {path}
    return out


def _at(obj: Any, path: Path) -> Any:
    for part in path:
        obj = obj.get(part) if isinstance(obj, Mapping) else None
    return obj


def _remove(obj: dict[str, Any], path: Path) -> None:
    node: Any = obj
    for part in path[:-1]:
        node = node.get(part) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node.pop(path[-1], None)


def _conflicts(manager: str, clash: list[Path]) -> ApiError:
    names = ["." + ".".join(p) for p in sorted(clash)]
    listed = names[0] if len(names) == 1 else "".join(f"\n- {n}" for n in names)
    count = f"{len(names)} conflict" + ("s" if len(names) > 1 else "")
    text = f'Apply failed with {count}: conflict{"s" if len(names) > 1 else ""} with "{manager}": {listed}'
    causes = [{"reason": "FieldManagerConflict", "message": f'conflict with "{manager}"', "field": n} for n in names]
    return ApiError(409, text, details={"causes": causes})


def owned_by_update(before: Mapping[str, Any] | None, after: dict[str, Any], manager: str) -> None:
    """Note in managedFields which fields an ordinary write set, so that a later apply sees the conflict."""
    mine = {p for p in paths(after) if p[0] != "status" and _at(before or {}, p) != _at(after, p)}
    mine = {
        p
        for p in mine
        if p[0] == "spec" or p[:2] in (("metadata", "labels"), ("metadata", "annotations")) or p[0] == "data"
    }
    managed = copy.deepcopy(after["metadata"].get("managedFields") or [])
    for entry in managed:
        if entry["operation"] == "Apply" or entry["manager"] != manager:
            entry["fieldsV1"] = _encode(_decode(entry["fieldsV1"]) - mine)
    entry = next((m for m in managed if m["manager"] == manager and m["operation"] == "Update"), None)
    if entry is None and mine:
        entry = {
            "manager": manager,
            "operation": "Update",
            "apiVersion": after["apiVersion"],
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        }
        managed.append(entry)
    if entry is not None:
        entry["fieldsV1"] = _encode(_decode(entry["fieldsV1"]) | mine)
    after["metadata"]["managedFields"] = [m for m in managed if m["fieldsV1"]]
