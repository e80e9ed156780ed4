"""Label and field selectors of list and watch requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tutor.kubesim.status import ApiError
from tutor.kubesim.view import Object
from tutor.policy.selectors import Requirement, Selector

_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    ),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "reason",
        "type",
        "source",
        "reportingComponent",
    ),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "nodes": ("spec.unschedulable",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicasets": ("status.replicas",),
}


class LabelSelector:
    """A LabelSelector object, as workloads carry it."""

    def __init__(self, selector: Mapping[str, Any]) -> None:
        self._selector = Selector.parse(selector)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it."""
        return self._selector.matches(labels)


def labels(text: str) -> Callable[[Object], bool]:
    """From a ``labelSelector`` parameter (equality and set based).

    :raises ApiError: it cannot be parsed.
    """
    requirements = []
    for piece in re.split(r",(?![^(]*\))", text):
        piece = piece.strip()
        if not piece:
            continue
        requirements.append(_requirement(piece))
    selector = Selector(tuple(requirements))
    return lambda obj: selector.matches(obj["metadata"].get("labels") or {})


def _requirement(piece: str) -> Requirement:
    if match := re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", piece):
        values = frozenset(v.strip() for v in match[3].split(","))
        return Requirement(match[1], "In" if match[2] == "in" else "NotIn", values)
    if match := re.fullmatch(r"([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)", piece):
        return Requirement(match[1], "NotIn" if match[2] == "!=" else "In", frozenset([match[3]]))
    if match := re.fullmatch(r"!\s*([^=!\s]+)", piece):
        return Requirement(match[1], "DoesNotExist")
    if re.fullmatch(r"[^=!\s()]+", piece):
        return Requirement(piece, "Exists")
    raise ApiError(
        400, f'unable to parse requirement: found "{piece}", expected: an identifier, an operator or a value'
    )


def fields(plural: str, text: str) -> Callable[[Object], bool]:
    """From a ``fieldSelector`` parameter.

    :raises ApiError: a field that this kind cannot be selected by.
    """
    conditions: list[tuple[str, bool, str]] = []
    for piece in text.split(","):
        match = re.fullmatch(r"([\w.]+)(==|=|!=)(.*)", piece.strip())
        if match is None:
            raise ApiError(400, f"invalid selector: '{piece}'; can't understand '{piece}'")
        if match[1] not in ("metadata.name", "metadata.namespace", *_FIELDS.get(plural, ())):
            raise ApiError(
                400,
                f'Unable to find "{plural}" that match label selector "", field selector "{text}": field label not supported: {match[1]}',
            )
        conditions.append((match[1], match[2] != "!=", match[3]))
    return lambda obj: all((_field(obj, path) == value) is equal for path, equal, value in conditions)


def _field(obj: Any, path: str) -> str:
    for part in path.split("."):
        obj = obj.get(part) if isinstance(obj, Mapping) else None
    if isinstance(obj, Mapping):
        obj = obj.get("component")
    return "" if obj is None else str(obj)
