"""Request bodies: bytes in, plain values out that are safe to keep (bounded in depth and size, nothing JSON cannot carry)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import yaml

from tutor.kubesim import protobuf
from tutor.kubesim.status import ApiError

MAX_BODY = 3 * 1024 * 1024
"""The API server's own limit on a request body."""
_MAX_DEPTH = 100
_MAX_VALUES = 500_000
_YAML = ("application/yaml", "application/apply-patch+yaml")
PROTOBUF = "application/vnd.kubernetes.protobuf"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: a date stays a string."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def media_type(header: str) -> str:
    """A Content-Type without its parameters."""
    return header.partition(";")[0].strip().lower()


def parse(content_type: str, body: bytes) -> Any:
    """What a request's body says.

    :raises ApiError: 400 (it cannot be read, or is nested or expanded beyond reason) or 415.
    """
    kind = media_type(content_type)
    if kind == PROTOBUF:
        return protobuf.decode(body)
    try:
        if kind in _YAML:
            value = yaml.load(body, Loader=_Loader)  # noqa: S506 - a SafeLoader
        elif kind in ("", "application/json") or kind.endswith("+json"):
            value = json.loads(body, parse_constant=_no_number)
        else:
            raise ApiError(
                415,
                "the body of the request was in an unknown format - accepted media types include: application/json, "
                f"application/yaml, {PROTOBUF} ({kind})",
            )
    except (ValueError, yaml.YAMLError, RecursionError) as e:
        raise ApiError(400, f"the request body could not be read: {str(e)[:300]}") from e
    return _Reader().plain(value, 0)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


class _Reader:
    """Copies a decoded value, counting: an alias repeated in YAML costs as often as it would in what is stored."""

    def __init__(self) -> None:
        self._count = 0

    def plain(self, value: Any, depth: int) -> Any:
        self._count += 1
        if depth > _MAX_DEPTH:
            raise ApiError(400, f"the request body is nested deeper than {_MAX_DEPTH} levels")
        if self._count > _MAX_VALUES:
            raise ApiError(400, f"the request body holds more than {_MAX_VALUES} values")
        if isinstance(value, dict):
            return {_key(k): self.plain(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            return [self.plain(v, depth + 1) for v in value]
        if isinstance(value, str):
            return _text(value)
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
            return value
        raise ApiError(400, f"the request body holds a value that JSON cannot carry: {str(value)[:50]}")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return _text(str(key))
    raise ApiError(400, f"the request body has a key that is no text: {str(key)[:50]}")


def _text(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise ApiError(400, "the request body holds half of a surrogate pair") from e
    return text
