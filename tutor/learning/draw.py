"""Which variant of a question a learner gets, and in which order its options stand.

Hashes instead of chance: the same learner sees the same attempt after a reload, in a second tab and on another process,
and the next attempt shows another variant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tutor.content.models import Item, Option, Quiz, Variant


def _number(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:8], "big")


def variant(item: Item, learner: str, attempt: int) -> Variant:
    """The variant of one attempt (counted from 1). Consecutive attempts differ as long as there are two variants."""
    start = _number(learner, item.id)
    return item.variants[(start + attempt - 1) % len(item.variants)]


def asked(quiz: Quiz, learner: str, attempt: int, before: Mapping[str, str]) -> dict[str, str]:
    """Item -> variant for a whole attempt. It is kept with the attempt, so that an edit of the quiz changes no open form.

    :param before: what the attempt before asked: another variant is drawn even if the quiz has changed since.
    """
    drawn: dict[str, str] = {}
    for item in quiz.items:
        chosen = variant(item, learner, attempt)
        if chosen.id == before.get(item.id):
            chosen = variant(item, learner, attempt + 1)
        drawn[item.id] = chosen.id
    return drawn


def options(chosen: Variant, learner: str, item: str, attempt: int) -> tuple[Option, ...]:
    """The options of a variant in the order of one attempt."""
    return tuple(sorted(chosen.options, key=lambda o: _number(learner, item, attempt, o.id)))
