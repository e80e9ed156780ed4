"""Query parameters that must have a certain form."""

from __future__ import annotations

from collections.abc import Mapping

from tutor.kubesim.status import ApiError


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A query parameter that must be a whole number from 0, or None when it is not given.

    :raises ApiError: 400.
    """
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ApiError(400, f'{name}: Invalid value: "{text}": must be a whole number greater than or equal to 0')
    return int(text)
