"""Regular expressions for the emulated grep, matched in linear time.

Python's own engine backtracks: one line of a learner's could keep a thread busy for years. Here a pattern becomes a
nondeterministic automaton, run over all its states at once and remembered state set by state set, so that a line costs time
in proportion to its length, whatever the pattern.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, field

from tutor.errors import Refused

_MAX_STATES = 2000
_MAX_CACHED = 4000
_CLASSES: dict[str, Callable[[str], bool]] = {
    "alpha": str.isalpha,
    "digit": lambda c: c in string.digits,
    "alnum": str.isalnum,
    "space": str.isspace,
    "upper": str.isupper,
    "lower": str.islower,
    "punct": lambda c: c in string.punctuation,
    "blank": lambda c: c in " \t",
    "xdigit": lambda c: c in string.hexdigits,
    "print": str.isprintable,
}
_ESCAPES: dict[str, Callable[[str], bool]] = {
    "w": lambda c: c.isalnum() or c == "_",
    "W": lambda c: not (c.isalnum() or c == "_"),
    "s": str.isspace,
    "S": lambda c: not c.isspace(),
    "d": lambda c: c in string.digits,
    "D": lambda c: c not in string.digits,
}
Test = Callable[[str], bool]


@dataclass
class _State:
    """``test`` and ``next``: one step over a character. ``free``: steps over nothing. ``at``: only at the line's start or end."""

    test: Test | None = None
    next: int = -1
    free: list[int] = field(default_factory=list)
    at: str = ""


@dataclass(frozen=True)
class _Piece:
    """A part of the automaton; its last state has no step yet."""

    first: int
    last: int


class Regex:
    """A compiled pattern.

    :param pattern: POSIX extended (``extended``) or basic syntax, with the usual GNU escapes.
    :raises Refused: it cannot be read, is too large, or needs back-references.
    """

    def __init__(self, pattern: str, *, extended: bool, ignore_case: bool = False) -> None:
        self._fold = ignore_case
        self._states: list[_State] = []
        tokens = _tokens(pattern, extended)
        piece = _Parser(tokens, self).whole()
        self._end = piece.last
        self._first = piece.first
        self._memory: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Leftmost, longest matches that do not overlap, empty ones left out."""
        found: list[tuple[int, int]] = []
        at = 0
        while at < len(line):
            end = self._longest(line, at)
            if end > at:
                found.append((at, end))
                at = end
            else:
                at += 1
        return found

    def matches(self, line: str) -> bool:
        """Whether the pattern matches anywhere in the line."""
        begin = self._close({self._first}, start=True, end=not line)
        later = self._close({self._first}, start=False, end=False)
        now = begin
        for i, char in enumerate(line):
            if self._end in now:
                return True
            now = self._step(now, char)
            if i + 1 == len(line):
                now = self._close(set(now) | {self._first}, start=False, end=True)
            else:
                now = now | later
        return self._end in now

    def _longest(self, line: str, at: int) -> int:
        now = self._close({self._first}, start=at == 0, end=at == len(line))
        best = at if self._end in now else -1
        for i in range(at, len(line)):
            now = self._step(now, line[i])
            if i + 1 == len(line):
                now = self._close(set(now), start=False, end=True)
            if not now:
                break
            if self._end in now:
                best = i + 1
        return best

    def _step(self, now: frozenset[int], char: str) -> frozenset[int]:
        if self._fold:
            char = char.lower()
        found = self._memory.get((now, char))
        if found is None:
            reached = set()
            for s in now:
                state = self._states[s]
                if state.test is not None and (state.test(char) or (self._fold and state.test(char.upper()))):
                    reached.add(state.next)
            found = self._close(reached, start=False, end=False)
            if len(self._memory) > _MAX_CACHED:
                self._memory.clear()
            self._memory[(now, char)] = found
        return found

    def _close(self, states: set[int], *, start: bool, end: bool) -> frozenset[int]:
        """Every state reached over nothing. A state waiting for the line's end stays in the set until the end is known."""
        seen: set[int] = set()
        todo = list(states)
        while todo:
            s = todo.pop()
            if s in seen:
                continue
            seen.add(s)
            state = self._states[s]
            if (state.at == "^" and not start) or (state.at == "$" and not end):
                continue
            todo.extend(state.free)
        return frozenset(seen)

    def add(self, state: _State) -> int:
        """A new state; gives its number. :raises Refused: the pattern is too large."""
        if len(self._states) >= _MAX_STATES:
            raise Refused("The pattern is too large.")
        self._states.append(state)
        return len(self._states) - 1

    def link(self, state: int, to: int) -> None:
        """A step over nothing."""
        self._states[state].free.append(to)

    def single(self, test: Test | None = None, at: str = "") -> _Piece:
        """One character, or one place in the line."""
        last = self.add(_State())
        first = self.add(_State(test, last) if test else _State(free=[last], at=at))
        return _Piece(first, last)


@dataclass(frozen=True)
class _Token:
    """``kind``: char, class, any, ``^ $ ( ) | * + ?`` or repeat."""

    kind: str
    text: str = ""
    test: Test | None = None
    low: int = 0
    high: int = -1


def _tokens(pattern: str, extended: bool) -> list[_Token]:
    found: list[_Token] = []
    i = 0
    while i < len(pattern):
        char = pattern[i]
        escaped = char == "\\"
        if escaped:
            i += 1
            if i == len(pattern):
                raise Refused("The pattern ends in a backslash.")
            char = pattern[i]
        if escaped and char in _ESCAPES:
            found.append(_Token("class", test=_ESCAPES[char]))
        elif escaped and (char.isdigit() or char in "bB<>"):
            raise Refused(f"The pattern uses \\{char}, which this grep does not know.", cure="Use -w for whole words.")
        elif char == "[" and not escaped:
            test, i = _bracket(pattern, i)
            found.append(_Token("class", test=test))
        elif char == "{" and extended != escaped and (repeat := _repeat(pattern, i, extended)):
            token, i = repeat
            found.append(token)
        elif char in "()|+?" and extended != escaped:
            found.append(_Token(char))
        elif char in "*^$." and not escaped:
            found.append(_meta(char, found, pattern, i, extended))
        else:
            found.append(_Token("char", char))
        i += 1
    return found


def _meta(char: str, before: list[_Token], pattern: str, i: int, extended: bool) -> _Token:
    first = not before or before[-1].kind in "(|^"
    if char == "*" and first:
        return _Token("char", "*")
    if not extended and char == "^" and not first:
        return _Token("char", "^")
    if not extended and char == "$" and i + 1 < len(pattern) and not pattern.startswith(("\\)", "\\|"), i + 1):
        return _Token("char", "$")
    return _Token("any" if char == "." else char)


def _repeat(pattern: str, i: int, extended: bool) -> tuple[_Token, int] | None:
    close = pattern.find("}" if extended else "\\}", i)
    low, comma, high = pattern[i + 1 : close].partition(",")
    if close < 0 or not (low.isdigit() or (comma and not low)) or not (high.isdigit() or not high):
        return None
    least = int(low or 0)
    most = (int(high) if high else -1) if comma else least
    if max(least, most) > 255:
        raise Refused("A repeat in the pattern goes over 255.")
    return _Token("repeat", low=least, high=most), close + (0 if extended else 1)


def _bracket(pattern: str, i: int) -> tuple[Test, int]:
    """A bracket expression that begins at ``i``; gives its test and where it ends."""
    at = i + 1
    negated = pattern.startswith("^", at)
    at += negated
    tests: list[Test] = []
    begin = at
    while at < len(pattern) and (pattern[at] != "]" or at == begin):
        if pattern.startswith("[:", at):
            end = pattern.find(":]", at)
            name = pattern[at + 2 : end] if end > 0 else ""
            if name not in _CLASSES:
                raise Refused(f"The pattern names a class [:{name}:] that there is not.")
            tests.append(_CLASSES[name])
            at = end + 2
        elif pattern[at + 1 : at + 2] == "-" and pattern[at + 2 : at + 3] not in ("]", ""):
            tests.append(_between(pattern[at], pattern[at + 2]))
            at += 3
        else:
            tests.append(_between(pattern[at], pattern[at]))
            at += 1
    if at >= len(pattern):
        raise Refused("The pattern opens a [ and never closes it.")
    return (lambda c: any(t(c) for t in tests) != negated), at


def _between(low: str, high: str) -> Test:
    return lambda c: low <= c <= high


class _Parser:
    """Recursive descent over the tokens; builds the automaton as it goes."""

    _MAX_DEPTH = 50

    def __init__(self, tokens: list[_Token], regex: Regex) -> None:
        self._tokens = tokens
        self._regex = regex
        self._at = 0
        self._depth = 0

    def whole(self) -> _Piece:
        piece = self._choice()
        if self._at < len(self._tokens):
            raise Refused("The pattern closes a ) that was never opened.")
        return piece

    def _peek(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _choice(self) -> _Piece:
        options = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            options.append(self._sequence())
        if len(options) == 1:
            return options[0]
        regex = self._regex
        first, last = regex.add(_State()), regex.add(_State())
        for option in options:
            regex.link(first, option.first)
            regex.link(option.last, last)
        return _Piece(first, last)

    def _sequence(self) -> _Piece:
        state = self._regex.add(_State())
        piece = _Piece(state, state)
        while self._peek() not in ("", "|", ")"):
            following = self._repeated()
            self._regex.link(piece.last, following.first)
            piece = _Piece(piece.first, following.last)
        return piece

    def _repeated(self) -> _Piece:
        begin = self._at
        piece = self._atom()
        end = self._at
        low, high = 1, 1
        while self._peek() in ("*", "+", "?", "repeat"):
            token = self._tokens[self._at]
            self._at += 1
            a, b = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}.get(token.kind, (token.low, token.high))
            low, high = low * a, (-1 if high < 0 or b < 0 else high * b)
        if (low, high) == (1, 1):
            return piece
        after = self._at
        copies = [piece]
        for _ in range(max(low, high, 1) - 1):
            self._at = begin
            copies.append(self._atom())
        assert self._at in (end, after)
        self._at = after
        return self._chain(copies, low, high)

    def _chain(self, copies: list[_Piece], low: int, high: int) -> _Piece:
        regex = self._regex
        first, last = regex.add(_State()), regex.add(_State())
        if high == 0:
            regex.link(first, last)
            return _Piece(first, last)
        regex.link(first, copies[0].first)
        if low == 0:
            regex.link(first, last)
        for i, copy in enumerate(copies):
            if i + 1 < len(copies):
                regex.link(copy.last, copies[i + 1].first)
            if i + 1 >= low:
                regex.link(copy.last, last)
        if high < 0:
            regex.link(copies[-1].last, copies[-1].first)
        return _Piece(first, last)

    def _atom(self) -> _Piece:
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "(":
            self._depth += 1
            if self._depth > self._MAX_DEPTH:
                raise Refused("The pattern is nested too deep.")
            piece = self._choice()
            if self._peek() != ")":
                raise Refused("The pattern opens a ( and never closes it.")
            self._at += 1
            self._depth -= 1
            return piece
        if token.kind in ("^", "$"):
            return self._regex.single(at=token.kind)
        if token.kind == "any":
            return self._regex.single(lambda _: True)
        if token.kind == "class":
            return self._regex.single(token.test)
        if token.kind == "char":
            return self._regex.single(_between(token.text, token.text))
        raise Refused(f"The pattern has a {token.kind} with nothing before it to repeat.")
