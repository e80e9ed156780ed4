"""Who set which field: server-side apply with its conflicts, and the ``managedFields`` that ordinary writes leave."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tutor.kubesim import defaults, fields
from tutor.kubesim.fields import Path, Schema
from tutor.kubesim.status import ApiError

Entry = dict[str, Any]


def apply(
    target: Mapping[str, Any] | None,
    config: dict[str, Any],
    schema: Schema,
    plural: str,
    manager: str,
    force: bool,
    at: str,
) -> dict[str, Any]:
    """Server-side apply: lay a manager's intent over an object, give it those fields, and drop what it owned before and
    names no more.

    :param at: now, as Kubernetes writes it.
    :raises ApiError: another manager owns a field that this one sets to something else, and ``force`` is off (409).
    """
    config = {k: v for k, v in config.items() if k != "status"}
    live = copy.deepcopy(dict(target)) if target is not None else {}
    entries = _entries(live)
    old = next((e for e in entries if _is(e, manager, "Apply")), None)
    mine = fields.collect(config, schema)
    complete = copy.deepcopy(config)
    if isinstance(complete.get("spec", {}), dict):
        defaults.apply(plural, complete)
    clashes: list[tuple[str, Path]] = []
    for entry in entries:
        if entry is old or (entry["manager"] == manager and target is None):
            continue
        theirs = fields.decode(entry["fieldsV1"])
        lost = {p for p in mine & theirs if not fields.same(live, config, p) and not fields.same(live, complete, p)}
        clashes += [(entry["manager"], p) for p in sorted(lost)]
        entry["fieldsV1"] = fields.encode(theirs - lost)
    if clashes and not force:
        raise _conflicts(clashes)
    others = {p for e in entries if e is not old for p in fields.decode(e["fieldsV1"])}
    gone = (fields.decode(old["fieldsV1"]) if old else set()) - mine - others
    for path in sorted(gone, key=len):  # an item before its fields
        if not fields.is_key(path) and not any(o[: len(path)] == path for o in others):
            fields.remove(live, path)
    out: dict[str, Any] = fields.merged(live, config, schema)
    entry = _entry(manager, "Apply", config["apiVersion"], mine, at)
    meta = out["metadata"] = dict(out.get("metadata") or {})
    meta["managedFields"] = [e for e in entries if e is not old and e["fieldsV1"]] + [entry]
    return out


def note_update(before: Mapping[str, Any] | None, after: dict[str, Any], schema: Schema, manager: str, at: str) -> None:
    """Write into ``managedFields`` which fields an ordinary write set, so that a later apply sees the conflict."""
    present = fields.collect(after, schema)
    past = fields.collect(before, schema) if before is not None else set()
    mine = {p for p in present if p not in past or not fields.same(before, after, p)}
    entries = _entries(after)
    own = next((e for e in entries if _is(e, manager, "Update")), None)
    for entry in entries:
        kept = fields.decode(entry["fieldsV1"]) & present
        entry["fieldsV1"] = fields.encode(kept if entry is own else kept - mine)
    if mine and own is None:
        entries.append(_entry(manager, "Update", after["apiVersion"], mine, at))
    elif mine and own is not None:
        own["fieldsV1"] = fields.encode(fields.decode(own["fieldsV1"]) | mine)
        own["time"] = at
    after["metadata"]["managedFields"] = [e for e in entries if e["fieldsV1"]]


def _entries(obj: Mapping[str, Any]) -> list[Entry]:
    """The entries of an object that are in the right form, as copies."""
    found = (obj.get("metadata") or {}).get("managedFields") or []
    return [copy.deepcopy(e) for e in found if e.get("manager") and e.get("operation") and e.get("fieldsV1")]


def _is(entry: Entry, manager: str, operation: str) -> bool:
    return (entry["manager"], entry["operation"]) == (manager, operation) and not entry.get("subresource")


def _entry(manager: str, operation: str, api_version: str, paths: set[Path], at: str) -> Entry:
    head = {"manager": manager, "operation": operation, "apiVersion": api_version, "time": at}
    return head | {"fieldsType": "FieldsV1", "fieldsV1": fields.encode(paths)}


def _conflicts(clashes: list[tuple[str, Path]]) -> ApiError:
    """In the API server's words, managers in the order they were met."""
    count = f"{len(clashes)} conflict" + ("s" if len(clashes) > 1 else "")
    managers: dict[str, list[str]] = {}
    for manager, path in clashes:
        managers.setdefault(manager, []).append(fields.shown(path))
    if len(clashes) == 1:
        text = f'conflict with "{clashes[0][0]}": {fields.shown(clashes[0][1])}'
    else:
        parts = (f'conflicts with "{m}":\n' + "\n".join(f"- {n}" for n in names) for m, names in managers.items())
        text = "\n".join(parts)
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{m}"', "field": fields.shown(p)}
        for m, p in clashes
    ]
    return ApiError(409, f"Apply failed with {count}: {text}", details={"causes": causes})
