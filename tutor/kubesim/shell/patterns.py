"""Regular expressions of grep and sed, turned into Python's; those that could run for ever are refused."""

from __future__ import annotations

import re

_CLASSES = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "space": r"\s",
    "upper": "A-Z",
    "lower": "a-z",
    "xdigit": "0-9A-Fa-f",
}
_REPEATED_GROUP = re.compile(r"[*+}?|][^()]*\)[*+{]")
_MOST = 200


class PatternProblem(Exception):
    """A pattern the simulated tool does not take."""


def compiled(pattern: str, *, extended: bool, ignore_case: bool = False) -> re.Pattern[str]:
    """A POSIX pattern as Python's.

    :param extended: ``+ ? | ( ) {`` are special as they are (``-E``); else only with a backslash, as in basic patterns.
    :raises PatternProblem: no valid pattern, or one that repeats a group with repetitions or choices inside: matching it
        can take for ever, and the simulator serves others too.
    """
    text = pattern if extended else _basic(pattern)
    text = re.sub(r"\[:(\w+):\]", lambda m: _CLASSES.get(m[1], ""), text)
    if _REPEATED_GROUP.search(text) or len(text) > _MOST or text.count("*") + text.count("+") > 6:
        raise PatternProblem("the pattern is too complex for the simulated pod")
    try:
        return re.compile(text, re.IGNORECASE if ignore_case else 0)
    except re.error as e:
        raise PatternProblem(f"bad regex '{pattern}': {e}") from e


def _basic(pattern: str) -> str:
    """A basic pattern with its special characters escaped the extended way."""

    def swap(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith("["):
            return found
        return (
            found[1:]
            if found.startswith("\\") and found[1:] in "+?|(){}"
            else "\\" + found
            if found in "+?|(){}"
            else found
        )

    return re.sub(r"\[\^?\]?[^\]]*\]|\\.|[+?|(){}]", swap, pattern, flags=re.DOTALL)
