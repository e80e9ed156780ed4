"""Errors as the API server answers them: ``Status`` objects of meta/v1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class ApiError(Exception):
    """An answer other than success; the edge turns it into a ``Status``."""

    def __init__(self, code: int, message: str, *, reason: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.reason = reason or _REASONS.get(code, "Unknown")
        self.details = details or {}

    def body(self) -> dict[str, Any]:
        """The Status object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def qualified(plural: str, group: str) -> str:
    """``deployments.apps``; core kinds have no group."""
    return f"{plural}.{group}" if group else plural


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404 for one object."""
    details = {"name": name, "kind": plural} | ({"group": group} if group else {})
    return ApiError(404, f'{qualified(plural, group)} "{name}" not found', details=details)


def no_such_path() -> ApiError:
    """404 for a path that is no resource. Its details are empty, not missing: kubectl looks into them without asking."""
    return ApiError(404, "the server could not find the requested resource")


def already_exists(plural: str, group: str, name: str) -> ApiError:
    """409 for a create."""
    details = {"name": name, "kind": plural} | ({"group": group} if group else {})
    return ApiError(409, f'{qualified(plural, group)} "{name}" already exists', reason="AlreadyExists", details=details)


def conflict(plural: str, group: str, name: str) -> ApiError:
    """409 for an update of something that changed in between."""
    text = (
        f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return ApiError(409, text, details={"name": name, "kind": plural})


def invalid(kind: str, group: str, name: str, errors: Sequence[tuple[str, str, str]]) -> ApiError:
    """422 with field errors.

    :param errors: (path, type such as ``Invalid value``, whole text beginning with the path).
    """
    texts = [text for _, _, text in errors]
    whole = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    codes = {
        "Required value": "FieldValueRequired",
        "Unsupported value": "FieldValueNotSupported",
        "Forbidden": "FieldValueForbidden",
        "Duplicate value": "FieldValueDuplicate",
        "Not found": "FieldValueNotFound",
        "Too long": "FieldValueTooLong",
    }
    causes = [
        {"reason": codes.get(kind_, "FieldValueInvalid"), "message": text.removeprefix(f"{path}: "), "field": path}
        for path, kind_, text in errors
    ]
    shown = f"{kind}.{group}" if group else kind
    details = {"name": name, "kind": kind, "causes": causes} | ({"group": group} if group else {})
    return ApiError(422, f'{shown} "{name}" is invalid: {whole}', details=details)


def success(plural: str, group: str, name: str, uid: str) -> dict[str, Any]:
    """What a finished delete answers."""
    details = {"name": name, "kind": plural, "uid": uid} | ({"group": group} if group else {})
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
