"""grep, head, tail and wc, as filters over lines. They are emulated: no program of the server is run for them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tutor.errors import Refused
from tutor.labs.console.regex import Regex

_MAX_LINE = 16 * 1024
_MAX_SECONDS = 5.0
_MAX_COUNT = 100_000


class Filter(Protocol):
    """One stage of a pipe. ``done``: it wants no more input."""

    done: bool
    code: int

    def feed(self, line: str) -> Iterable[str]:
        """Lines that come out for one that goes in (without line ends)."""
        ...

    def finish(self) -> Iterable[str]:
        """Lines that come out at the end of input."""
        ...


@dataclass
class Grep:
    """grep. Exit code 0 when something matched, else 1."""

    test: Callable[[str], list[tuple[int, int]] | None]
    invert: bool = False
    count: bool = False
    only: bool = False
    number: bool = False
    quiet: bool = False
    before: int = 0
    after: int = 0
    most: int = -1
    done: bool = False
    code: int = 1
    _at: int = 0
    _hits: int = 0
    _held: deque[tuple[int, str]] = field(default_factory=deque)
    _owed: int = 0
    _last: int = 0
    _spent: float = 0.0

    def feed(self, line: str) -> Iterable[str]:
        self._at += 1
        began = time.monotonic()
        spans = self.test(line[:_MAX_LINE])
        self._spent += time.monotonic() - began
        if self._spent > _MAX_SECONDS:
            raise Refused(f"grep was stopped: it took more than {_MAX_SECONDS:g} s.")
        if (spans is not None) != self.invert:
            return self._hit(line, spans or [])
        if self._owed and not self.count:
            self._owed -= 1
            return self._put([(self._at, line)], "-")
        self._held.append((self._at, line))
        while len(self._held) > self.before:
            self._held.popleft()
        return []

    def _hit(self, line: str, spans: list[tuple[int, int]]) -> list[str]:
        self.code = 0
        self._hits += 1
        self.done = 0 <= self.most <= self._hits
        if self.count or self.quiet:
            return []
        out = self._put(list(self._held), "-")
        self._held.clear()
        self._owed = self.after
        if not self.only:
            return out + self._put([(self._at, line)], ":")
        return [f"{self._at}:{line[a:b]}" if self.number else line[a:b] for a, b in spans]

    def _put(self, lines: list[tuple[int, str]], mark: str) -> list[str]:
        out: list[str] = []
        for at, line in lines:
            if (self.before or self.after) and self._last and at > self._last + 1:
                out.append("--")
            self._last = at
            out.append(f"{at}{mark}{line}" if self.number else line)
        return out

    def finish(self) -> Iterable[str]:
        return [str(self._hits)] if self.count else []


@dataclass
class Head:
    """The first lines."""

    lines: int
    done: bool = False
    code: int = 0

    def feed(self, line: str) -> Iterable[str]:
        if self.lines <= 0:
            self.done = True
            return []
        self.lines -= 1
        self.done = self.lines == 0
        return [line]

    def finish(self) -> Iterable[str]:
        return []


@dataclass
class Tail:
    """The last lines, or those from a line on (``+N``)."""

    lines: int
    start: int = 0
    done: bool = False
    code: int = 0
    _at: int = 0
    _kept: deque[str] = field(default_factory=deque)

    def feed(self, line: str) -> Iterable[str]:
        self._at += 1
        if self.start:
            return [line] if self._at >= self.start else []
        self._kept.append(line)
        while len(self._kept) > self.lines:
            self._kept.popleft()
        return []

    def finish(self) -> Iterable[str]:
        return list(self._kept)


@dataclass
class Count:
    """wc: lines, words, bytes."""

    shown: tuple[str, ...]
    done: bool = False
    code: int = 0
    _seen: dict[str, int] = field(default_factory=lambda: {"l": 0, "w": 0, "c": 0})

    def feed(self, line: str) -> Iterable[str]:
        self._seen["l"] += 1
        self._seen["w"] += len(line.split())
        self._seen["c"] += len(line.encode()) + 1
        return []

    def finish(self) -> Iterable[str]:
        if len(self.shown) == 1:
            return [str(self._seen[self.shown[0]])]
        return ["".join(f"{self._seen[k]:8d}" for k in "lwc" if k in self.shown)]


def make(words: Sequence[str]) -> Filter:
    """A filter from its command line.

    :raises Refused: another program, or an option that is not emulated.
    """
    makers = {"grep": _grep, "egrep": _egrep, "head": _head, "tail": _tail, "wc": _wc}
    maker = makers.get(words[0])
    if maker is None:
        raise Refused(f"Output can be piped to grep, head, tail and wc only, not to {words[0][:40]}.")
    return maker(list(words[1:]))


def _egrep(words: list[str]) -> Filter:
    return _grep(["-E", *words])


_GREP_LONG = {
    "--ignore-case": "i",
    "--invert-match": "v",
    "--extended-regexp": "E",
    "--fixed-strings": "F",
    "--count": "c",
    "--line-number": "n",
    "--only-matching": "o",
    "--word-regexp": "w",
    "--line-regexp": "x",
    "--quiet": "q",
    "--regexp": "e",
    "--after-context": "A",
    "--before-context": "B",
    "--context": "C",
    "--max-count": "m",
}


def _grep(words: list[str]) -> Filter:
    on, values, patterns = _options("grep", words, "ivEFcnowxqGs", "eABCm", _GREP_LONG)
    if "e" in values:
        patterns = values["e"] + patterns
    if len(patterns) != 1 and "e" not in values:
        raise Refused(
            "grep here takes one pattern and reads what is piped to it.", cure="Quote a pattern that has spaces."
        )
    both = _number("grep -C", values.get("C", ["0"])[-1])
    tests = [_test(p, on) for p in patterns]

    def test(line: str) -> list[tuple[int, int]] | None:
        for one in tests:
            if (found := one(line)) is not None:
                return found
        return None

    return Grep(
        test,
        invert="v" in on,
        count="c" in on,
        only="o" in on,
        number="n" in on,
        quiet="q" in on,
        before=_number("grep -B", values["B"][-1]) if "B" in values else both,
        after=_number("grep -A", values["A"][-1]) if "A" in values else both,
        most=_number("grep -m", values["m"][-1]) if "m" in values else -1,
    )


def _test(pattern: str, on: set[str]) -> Callable[[str], list[tuple[int, int]] | None]:
    if "F" in on:
        pattern, extended = "".join("\\" + c if c in "\\.[]()*+?{}^$|" else c for c in pattern), True
    else:
        extended = "E" in on
    regex = Regex(pattern, extended=extended, ignore_case="i" in on)

    def test(line: str) -> list[tuple[int, int]] | None:
        if not regex.matches(line):
            return None
        if not on & {"o", "w", "x"}:
            return []
        spans = regex.spans(line)
        if "x" in on:
            spans = [s for s in spans if s == (0, len(line))]
        if "w" in on:
            spans = [
                (a, b)
                for a, b in spans
                if not (_wordy(line[a - 1 : a]) if a else False) and not _wordy(line[b : b + 1])
            ]
        return spans or None

    return test


def _wordy(char: str) -> bool:
    return bool(char) and (char.isalnum() or char == "_")


def _head(words: list[str]) -> Filter:
    return Head(_number("head", _lines("head", words)))


def _tail(words: list[str]) -> Filter:
    given = _lines("tail", words)
    if given.startswith("+"):
        return Tail(0, start=max(1, _number("tail", given[1:])))
    return Tail(_number("tail", given))


def _lines(who: str, words: list[str]) -> str:
    if len(words) == 1 and words[0].startswith("-") and words[0][1:].isdigit():
        return words[0][1:]
    on, values, rest = _options(who, words, "", "n", {"--lines": "n"})
    if rest or on:
        raise Refused(f"{who} here reads what is piped to it, and takes -n NUMBER only.")
    return values.get("n", ["10"])[-1]


def _wc(words: list[str]) -> Filter:
    on, _, rest = _options("wc", words, "lwc", "", {"--lines": "l", "--words": "w", "--bytes": "c"})
    if rest:
        raise Refused("wc here reads what is piped to it, and takes -l, -w and -c only.")
    return Count(tuple(k for k in "lwc" if not on or k in on))


def _number(who: str, given: str) -> int:
    if not given.isdigit() or int(given) > _MAX_COUNT:
        raise Refused(f"{who}: {given[:20]} is not a number from 0 to {_MAX_COUNT}.")
    return int(given)


def _options(
    who: str, words: list[str], plain: str, valued: str, long: dict[str, str]
) -> tuple[set[str], dict[str, list[str]], list[str]]:
    """Options without a value, values by option, and what is left."""
    on: set[str] = set()
    values: dict[str, list[str]] = {}
    rest: list[str] = []
    feed = iter(words)
    for word in feed:
        if word == "--":
            rest += feed
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            letter = long.get(name, "")
            if letter and letter in valued:
                values.setdefault(letter, []).append(value if equals else _next(who, word, feed))
            elif letter and not equals:
                on.add(letter)
            else:
                raise Refused(f"{who} takes no {name[:40]} here.")
        elif word.startswith("-") and len(word) > 1:
            _cluster(who, word, feed, plain, valued, on, values)
        else:
            rest.append(word)
    return on, values, rest


def _cluster(
    who: str, word: str, feed: Iterator[str], plain: str, valued: str, on: set[str], values: dict[str, list[str]]
) -> None:
    for i, letter in enumerate(word[1:], start=1):
        if letter in plain:
            on.add(letter)
        elif letter in valued:
            values.setdefault(letter, []).append(word[i + 1 :] or _next(who, word, feed))
            return
        else:
            raise Refused(f"{who} takes no -{letter} here.")


def _next(who: str, word: str, feed: Iterator[str]) -> str:
    found = next(feed, None)
    if found is None:
        raise Refused(f"{who} {word[:40]} needs a value.")
    return found
