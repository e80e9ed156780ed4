"""Label selectors, compiled once and matched often (LabelSelector of meta/v1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Requirement:
    """One condition. ``NotIn`` and ``DoesNotExist`` also match when the key is missing."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet the condition."""
        present = self.key in labels
        match self.operator:
            case "In":
                return present and labels[self.key] in self.values
            case "NotIn":
                return not present or labels[self.key] not in self.values
            case "Exists":
                return present
            case "DoesNotExist":
                return not present
        return False

    def __str__(self) -> str:
        values = ", ".join(sorted(self.values))
        match self.operator:
            case "In":
                return f"{self.key}={values}" if len(self.values) == 1 else f"{self.key} in ({values})"
            case "NotIn":
                return f"{self.key} not in ({values})"
            case "Exists":
                return f"{self.key} present"
        return f"{self.key} absent"


@dataclass(frozen=True)
class Selector:
    """All requirements must hold; none means everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, selector: Mapping[str, Any] | None) -> Selector:
        """From a LabelSelector as JSON. A malformed one is refused by :mod:`tutor.policy.validate`, not here."""
        s = selector or {}
        exact = [Requirement(str(k), "In", frozenset([str(v)])) for k, v in (s.get("matchLabels") or {}).items()]
        expressions = [
            Requirement(
                str(e.get("key", "")), str(e.get("operator", "")), frozenset(str(v) for v in e.get("values") or [])
            )
            for e in s.get("matchExpressions") or []
        ]
        return cls(tuple(exact + expressions))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet every requirement."""
        return all(r.matches(labels) for r in self.requirements)

    def failing(self, labels: Mapping[str, str]) -> tuple[Requirement, ...]:
        """The requirements these labels do not meet."""
        return tuple(r for r in self.requirements if not r.matches(labels))

    def __str__(self) -> str:
        return ", ".join(str(r) for r in self.requirements) or "everything"
