"""YAML with line numbers, so that every problem names its file and line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

T = TypeVar("T", bound=BaseModel)
SLUG = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
MAX_BYTES = 2 * 1024 * 1024
MAX_NODES = 200_000
"""Values in one text, aliases followed: a few lines of nested aliases can stand for millions."""
Lines = dict[tuple[str, str], int]
"""(file, name of a thing in it) -> line, for problems that only show once all files are read."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing an author must mend. ``file`` is relative to the content directory."""

    file: str
    line: int
    message: str


class Broken(Exception):
    """A file that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.file}:{p.line}: {p.message}" for p in problems))
        self.problems = tuple(problems)


Location = tuple[str | int, ...]


@dataclass
class Source:
    """A parsed YAML text: its value, and the line of every key and item in it."""

    file: str
    value: Any
    lines: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Sequence[str | int]) -> int:
        """The line of a place in the value, or of the nearest place around it."""
        where = tuple(location)
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    def problem(self, location: Sequence[str | int], message: str) -> Problem:
        """A problem at a place."""
        return Problem(self.file, self.line(location), message)


def read(root: Path, path: Path) -> str:
    """A file's text.

    :raises Broken: it cannot be read, is no UTF-8, or is too large.
    """
    name = path.relative_to(root).as_posix()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Broken([Problem(name, 1, f"larger than {MAX_BYTES // 1024**2} MB")])
        return path.read_text(encoding="utf-8-sig")
    except OSError as e:
        raise Broken([Problem(name, 1, f"cannot be read: {e.strerror}")]) from e
    except UnicodeDecodeError as e:
        raise Broken([Problem(name, 1, f"is not UTF-8 text: {e.reason} at byte {e.start}")]) from e


def parse(file: str, text: str, first_line: int = 1) -> Source:
    """YAML with its line numbers; a key written twice is an error.

    :raises Broken: it is no YAML.
    """
    offset = first_line - 1
    lines: dict[Location, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        problems = list(_walk(file, node, (), lines, offset)) if node is not None else []
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line = (mark.line if mark else 0) + 1 + offset
        raise Broken([Problem(file, line, f"is not valid YAML: {e.problem or e.context}")]) from e
    except yaml.reader.ReaderError as e:
        line = text.count("\n", 0, int(e.position)) + first_line
        raise Broken(
            [Problem(file, line, f"is not valid YAML: it holds the character #x{ord(text[e.position]):04x}")]
        ) from e
    except RecursionError as e:
        raise Broken([Problem(file, first_line, "is not valid YAML: nested too deeply, or inside itself")]) from e
    except ValueError as e:
        raise Broken([Problem(file, first_line, f"is not valid YAML: {e}")]) from e
    if problems:
        raise Broken(problems)
    return Source(file, value, lines)


def _walk(file: str, node: Any, at: Location, lines: dict[Location, int], offset: int) -> Iterator[Problem]:
    lines.setdefault(at, node.start_mark.line + 1 + offset)
    if len(lines) > MAX_NODES:
        raise Broken([Problem(file, 1 + offset, f"holds more than {MAX_NODES} values")])
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1 + offset
            if name in seen and name != "<<":
                yield Problem(file, line, f'the key "{name}" is written twice')
            seen.add(name)
            lines[(*at, name)] = line
            yield from _walk(file, value, (*at, name), lines, offset)
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _walk(file, item, (*at, i), lines, offset)


def model(kind: type[T], source: Source, **filled: Any) -> T:
    """The value as a model.

    :param filled: fields the file does not hold (its slug, rendered text).
    :raises Broken: with every field that is wrong.
    """
    if not isinstance(source.value, dict):
        raise Broken([Problem(source.file, 1, "must be a mapping of keys to values")])
    for key, value in filled.items():
        if key == "slug" and source.value.get("slug", value) != value:
            raise Broken([source.problem((key,), f'the slug must be the name of its file or folder, "{value}"')])
        if key != "slug" and key in source.value:
            raise Broken([source.problem((key,), f'"{key}" is filled in by Kubetutor: take it out')])
    try:
        return kind.model_validate({**source.value, **filled})
    except ValidationError as e:
        raise Broken(_problems(source, e)) from e


def models(kind: type[T], source: Source) -> tuple[T, ...]:
    """The value, a list, as models.

    :raises Broken: with every field that is wrong.
    """
    value = [] if source.value is None else source.value
    try:
        return tuple(TypeAdapter(list[kind]).validate_python(value))  # type: ignore[valid-type]
    except ValidationError as e:
        raise Broken(_problems(source, e)) from e


def _problems(source: Source, error: ValidationError) -> list[Problem]:
    out = []
    for e in error.errors():
        where = "".join(f"{part}: " for part in (".".join(map(str, e["loc"])),) if part)
        text = {"missing": "is missing", "extra_forbidden": "is not a field of this file"}.get(e["type"], e["msg"])
        out.append(source.problem(e["loc"], where + text))
    return out


def doubles(ids: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(position, id) of every id that stood earlier in the sequence."""
    seen: set[str] = set()
    for i, one in enumerate(ids):
        if one in seen:
            yield i, one
        seen.add(one)


def digest(*texts: str) -> str:
    """Identifies a version of some content."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
