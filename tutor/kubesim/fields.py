"""Sets of field paths in the form of ``managedFields`` (structured-merge-diff's FieldsV1), read and written by schema.

A path is a tuple of elements: ``f:name`` a field, ``k:{"name":"web"}`` a list item by its keys, ``v:"x"`` an item of a set.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tutor.kubesim import schema as schemas

Path = tuple[str, ...]
Schema = Mapping[str, Any]
_IDENTITY = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace")}
)
_SYSTEM = frozenset(
    {"uid", "creationTimestamp", "generation", "resourceVersion", "managedFields", "selfLink", "deletionTimestamp"}
)


def below(schema: Schema, key: str) -> Schema:
    """The schema of a field of an object."""
    found: Schema = (schema.get("properties") or {}).get(key) or {}
    if found:
        return found
    extra = schema.get("additionalProperties")
    return extra if isinstance(extra, dict) else {}


def list_keys(schema: Schema) -> list[str] | None:
    """The keys that tell the items of a list apart; None when the list is no map."""
    return (
        list(schema.get("x-kubernetes-list-map-keys") or []) or None
        if schema.get("x-kubernetes-list-type") == "map"
        else None
    )


def atomic(schema: Schema) -> bool:
    """Whether a map is owned as one value."""
    return schema.get("x-kubernetes-map-type") == "atomic"


def item_key(item: Mapping[str, Any], keys: Iterable[str]) -> str:
    """``k:{…}`` of a list item; a protocol that is not written is TCP."""
    given = {k: item.get(k, "TCP" if k == "protocol" else None) for k in sorted(keys)}
    return "k:" + json.dumps({k: v for k, v in given.items() if v is not None}, separators=(",", ":"))


def collect(value: Any, schema: Schema, prefix: Path = ()) -> set[Path]:
    """Every field a configuration sets: leaves, and list items that have an identity. What identifies the object itself,
    its status, and what the server sets belong to nobody."""
    schema = schemas.resolve(schema)
    out: set[Path] = set()
    if isinstance(value, dict) and value and not (prefix and atomic(schema)):
        for key, inner in value.items():
            path = (*prefix, f"f:{key}")
            if (prefix == () and key == "status") or (prefix == ("f:metadata",) and key in _SYSTEM):
                continue
            out |= collect(inner, below(schema, key), path)
    elif isinstance(value, list) and value and (keys := list_keys(schema)):
        for item in value:
            if isinstance(item, dict):
                path = (*prefix, item_key(item, keys))
                out |= {path} | collect(item, schema.get("items") or {}, path)
    elif isinstance(value, list) and value and schema.get("x-kubernetes-list-type") == "set":
        out |= {(*prefix, "v:" + json.dumps(item)) for item in value}
    elif prefix:
        out.add(prefix)
    return out - _IDENTITY


def is_key(path: Path) -> bool:
    """Whether it is one of the fields that tell a list item apart: such a field goes with its item only."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])


def find(value: Any, path: Path) -> Any:
    """The value at a path, or None."""
    for element in path:
        value = _step(value, element)
        if value is None:
            return None
    return value


def _step(value: Any, element: str) -> Any:
    form, text = element[:2], element[2:]
    if form == "f:":
        return value.get(text) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    wanted = json.loads(text)
    if form == "v:":
        return wanted if wanted in value else None
    return next((i for i in value if isinstance(i, dict) and item_key(i, wanted) == element), None)


def same(a: Any, b: Any, path: Path) -> bool:
    """Whether two objects agree at a path. Of a list item only its presence counts: its fields are paths of their own."""
    left, right = find(a, path), find(b, path)
    if path[-1].startswith("k:"):
        return (left is None) is (right is None)
    return bool(left == right)


def remove(value: Any, path: Path) -> None:
    """Take a field or a list item away, in place."""
    holder, element = find(value, path[:-1]), path[-1]
    if element.startswith("f:"):
        if isinstance(holder, dict):
            holder.pop(element[2:], None)
    elif isinstance(holder, list):
        found = _step(holder, element)
        if found is not None:
            holder.remove(found)


def encode(paths: Iterable[Path]) -> dict[str, Any]:
    """As ``fieldsV1``."""
    tree: dict[str, Any] = {}
    for path in sorted(paths, key=len):
        node = tree
        for element in path[:-1]:
            node = node.setdefault(element, {})
        node.setdefault(path[-1], {})
        if path[-1].startswith("k:"):
            node[path[-1]]["."] = {}
    return tree


def decode(tree: Any, prefix: Path = ()) -> set[Path]:
    """From ``fieldsV1``; what is none of its forms is left out."""
    out: set[Path] = set()
    if not isinstance(tree, dict):
        return out
    for element, inner in tree.items():
        if element == ".":
            out.add(prefix)
        elif element[:2] in ("f:", "k:", "v:") and _readable(element):
            path = (*prefix, element)
            out |= decode(inner, path) if inner else {path}
    return out - {()}


def _readable(element: str) -> bool:
    if element.startswith("f:"):
        return True
    try:
        value = json.loads(element[2:])
    except ValueError:
        return False
    return isinstance(value, dict) or element.startswith("v:")


def shown(path: Path) -> str:
    """``.spec.containers[name="web"].image``, as conflicts name it."""
    out = ""
    for element in path:
        if element.startswith("f:"):
            out += f".{element[2:]}"
        elif element.startswith("k:"):
            out += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(element[2:]).items()) + "]"
        else:
            out += f"[={element[2:]}]"
    return out


def merged(live: Any, config: Any, schema: Schema) -> Any:
    """A configuration laid over a live value, list items matched by their keys."""
    schema = schemas.resolve(schema)
    if isinstance(config, dict) and isinstance(live, dict) and not atomic(schema):
        out = dict(live)
        for key, value in config.items():
            out[key] = merged(live.get(key), value, below(schema, key))
        return out
    if isinstance(config, list) and isinstance(live, list):
        return _merged_list(live, config, schema)
    return config


def _merged_list(live: Sequence[Any], config: Sequence[Any], schema: Schema) -> list[Any]:
    keys = list_keys(schema)
    if keys:
        out = list(live)
        places = {item_key(i, keys): at for at, i in enumerate(out) if isinstance(i, dict)}
        for item in config:
            at = places.get(item_key(item, keys)) if isinstance(item, dict) else None
            if at is None:
                out.append(item)
            else:
                out[at] = merged(out[at], item, schema.get("items") or {})
        return out
    if schema.get("x-kubernetes-list-type") == "set":
        return [*live, *(v for v in config if v not in live)]
    return list(config)
