"""Whether a manifest has the JSON types its kind needs, told before anything reads it.

The API server's decoder refuses wrong types and kubectl asks it to refuse unknown fields. Only what the engine reads is
described here: a NetworkPolicy's spec whole and closed (a misspelt ``ingres`` must not pass for a deny), of other kinds the few
fields that decide traffic.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fields:
    """An object. ``closed``: fields not listed are mistakes."""

    fields: Mapping[str, Any]
    closed: bool = False


@dataclass(frozen=True)
class Items:
    """A list of one shape."""

    shape: Any


TEXT, NUMBER, PORT, FLAG, LABELS, ADDRESS = "text", "number", "port", "flag", "labels", "address"
_WORDS = {
    TEXT: "text",
    NUMBER: "a whole number",
    PORT: "a whole number or a name",
    FLAG: "true or false",
    ADDRESS: "an IP address",
}

_SELECTOR = Fields(
    {
        "matchLabels": LABELS,
        "matchExpressions": Items(Fields({"key": TEXT, "operator": TEXT, "values": Items(TEXT)}, closed=True)),
    },
    closed=True,
)
_BLOCK = Fields({"cidr": TEXT, "except": Items(TEXT)}, closed=True)
_PEER = Fields({"podSelector": _SELECTOR, "namespaceSelector": _SELECTOR, "ipBlock": _BLOCK}, closed=True)
_PORTS = Items(Fields({"protocol": TEXT, "port": PORT, "endPort": NUMBER}, closed=True))
POLICY_SPEC = Fields(
    {
        "podSelector": _SELECTOR,
        "policyTypes": Items(TEXT),
        "ingress": Items(Fields({"from": Items(_PEER), "ports": _PORTS}, closed=True)),
        "egress": Items(Fields({"to": Items(_PEER), "ports": _PORTS}, closed=True)),
    },
    closed=True,
)
_META = Fields({"name": TEXT, "namespace": TEXT, "labels": LABELS})
_CONTAINER_PORTS = Items(Fields({"name": TEXT, "containerPort": NUMBER, "protocol": TEXT}))
_POD_SPEC = Fields({"nodeName": TEXT, "hostNetwork": FLAG, "containers": Items(Fields({"ports": _CONTAINER_PORTS}))})
_WORKLOAD = Fields(
    {
        "metadata": _META,
        "spec": Fields({"template": Fields({"metadata": Fields({"labels": LABELS}), "spec": _POD_SPEC})}),
    }
)
_ADDRESS_ITEMS = Items(Fields({"type": TEXT, "address": TEXT}))
_SERVICE_PORTS = Items(Fields({"name": TEXT, "port": NUMBER, "targetPort": PORT, "protocol": TEXT}))
_KINDS: Mapping[str, Fields] = {
    "NetworkPolicy": Fields({"metadata": _META, "spec": POLICY_SPEC}),
    "Pod": Fields(
        {
            "metadata": _META,
            "spec": _POD_SPEC,
            "status": Fields(
                {"phase": TEXT, "podIP": ADDRESS, "hostIP": ADDRESS, "podIPs": Items(Fields({"ip": ADDRESS}))}
            ),
        }
    ),
    "Node": Fields({"metadata": _META, "status": Fields({"addresses": _ADDRESS_ITEMS})}),
    "Service": Fields(
        {"metadata": _META, "spec": Fields({"clusterIP": TEXT, "selector": LABELS, "ports": _SERVICE_PORTS})}
    ),
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), _WORKLOAD),
}


def problems(obj: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the JSON types of an object, each with the path of the field. Kinds not read here have only metadata."""
    yield from _check(obj, _KINDS.get(str(obj.get("kind")), Fields({"metadata": _META})), "")


def _check(value: Any, shape: Any, path: str) -> Iterator[str]:
    """null is an absent field everywhere, as it is for the API server."""
    if value is None:
        return
    if isinstance(shape, Fields):
        yield from _object(value, shape, path)
    elif isinstance(shape, Items):
        if not isinstance(value, list):
            yield f"{path} must be a list, not {_kind(value)}"
            return
        for i, item in enumerate(value):
            if item is None and not isinstance(shape.shape, Fields):
                yield f"{path}[{i}] is empty"
            yield from _check(item, shape.shape, f"{path}[{i}]")
    elif shape == LABELS:
        yield from _labels(value, path)
    elif not _fits(value, shape):
        quoted = ' (quote it: "…")' if shape == TEXT and not isinstance(value, list | dict) else ""
        yield f"{path} must be {_WORDS[shape]}, not {_kind(value)}{quoted}"


def _object(value: Any, shape: Fields, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path or 'it'} must be an object, not {_kind(value)}"
        return
    for key, item in value.items():
        where = f"{path}.{key}" if path else str(key)
        if key in shape.fields:
            yield from _check(item, shape.fields[key], where)
        elif shape.closed:
            yield f'unknown field "{where}" (here stand: {", ".join(sorted(shape.fields))})'


def _labels(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} must be an object of labels, not {_kind(value)}"
        return
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            wrong = item if isinstance(key, str) else key
            yield f'{path}: the label {key} must be text, not {_kind(wrong)} (quote it: "…")'


def _fits(value: Any, shape: str) -> bool:
    number = isinstance(value, int) and not isinstance(value, bool)
    if shape == NUMBER:
        return number
    if shape == PORT:
        return number or isinstance(value, str)
    if shape == FLAG:
        return isinstance(value, bool)
    return isinstance(value, str) and (shape == TEXT or not value or _is_address(value))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _kind(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{value[:40]}"'
        case list():
            return "a list"
        case dict():
            return "an object"
    return f"the {type(value).__name__} {value}"
