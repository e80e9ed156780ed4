"""A kubectl command line to the one argument list that is run.

What was typed is parsed as kubectl's own flag library (pflag) parses it, checked against the tables, and **written anew**:
every flag as ``--name=value`` before the words. kubectl never sees the learner's spelling, so no spelling can mean one thing
here and another there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tutor.errors import Refused
from tutor.labs.console.flags import COMMANDS, REFUSED_COMMANDS, REFUSED_FLAGS, Command, Takes

_FORMATS = ("json", "yaml", "wide", "name", "jsonpath", "jsonpath-as-json", "custom-columns", "go-template", "kyaml")
_BOOLS = {"1": "true", "t": "true", "true": "true", "0": "false", "f": "false", "false": "false"}
_MAX_FILE_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """What will be run: ``argv`` without the program; ``notes`` are told to the learner first."""

    argv: tuple[str, ...]
    notes: tuple[str, ...] = ()
    follows: bool = False
    """It may well take long (a watch, a wait): the longer time limit holds."""


@dataclass
class _Parsed:
    flags: list[tuple[str, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    program: list[str] | None = None


def plan(words: Sequence[str], workspace: Path) -> Plan:
    """Check a command line, without the leading ``kubectl``.

    :param workspace: the only directory whose files may be named.
    :raises Refused: something in it is not run here; the message names it and says why.
    """
    if not words:
        raise Refused("kubectl needs a command.", cure="Try: kubectl get pods -A    or type help.")
    name, rest = _find_command(words)
    command = COMMANDS[name]
    parsed = _parse(name, command, rest)
    asks_help = any(f == "help" for f, _ in parsed.flags)
    if command.subcommands and not asks_help and (parsed.words or [""])[0] not in command.subcommands:
        given = f' "{parsed.words[0]}"' if parsed.words else ""
        raise Refused(f"kubectl {name}{given} is not run here. It takes: {', '.join(command.subcommands)}.")
    notes = _drop_terminal(name, parsed)
    argv = [
        name,
        *(f"--{f}={_checked(name, command, f, v, workspace)}" for f, v in parsed.flags),
        *map(_plain_word, parsed.words),
    ]
    if parsed.program is not None:
        argv += ["--", *parsed.program]
    return Plan(tuple(argv), tuple(notes), _follows(name, parsed))


def _find_command(words: Sequence[str]) -> tuple[str, list[str]]:
    """The command is the first word that is neither a flag nor a flag's value; flags may stand before it."""
    before: list[str] = []
    waiting = iter(range(len(words)))
    for i in waiting:
        word = words[i]
        if not word.startswith("-"):
            _known_command(word)
            return word, [*before, *words[i + 1 :]]
        if word == "--":
            break
        flag = word.lstrip("-").partition("=")[0]
        if flag in REFUSED_FLAGS and (word.startswith("--") or flag in ("s", "k")):
            _refuse_flag("", flag, word)
        before.append(word)
        if _takes_next(word) and i + 1 < len(words):
            before.append(words[next(waiting)])
    if any(w in ("--help", "-h") for w in before):
        raise Refused("Type help to see what this console runs.")
    raise Refused("kubectl needs a command.", cure="Try: kubectl get pods -A")


def _known_command(word: str) -> None:
    if word in COMMANDS:
        return
    if word in REFUSED_COMMANDS:
        raise Refused(f"kubectl {word} is not run here: {REFUSED_COMMANDS[word]}")
    raise Refused(f"kubectl {word[:40]} is not a command this console runs.", cure="Type help to see the list.")


def _takes_next(word: str) -> bool:
    """Whether a flag before the command takes the next word: only the flags that every command has may stand there."""
    if word.startswith("--"):
        return "=" not in word and word[2:] in ("namespace", "request-timeout", "v")
    return word in ("-n", "-v")


def _refuse_flag(command: str, name: str, shown: str) -> NoReturn:
    label = shown.partition("=")[0][:40]
    if name in REFUSED_FLAGS:
        raise Refused(f"{label} is refused: {REFUSED_FLAGS[name]}")
    cure = (
        "Put -- before the program's own words."
        if command in ("exec", "run")
        else "Type help to see what this console runs."
    )
    raise Refused(f"kubectl {command} takes no {label} here.", cure=cure)


def _parse(name: str, command: Command, words: Sequence[str]) -> _Parsed:
    parsed = _Parsed()
    feed = iter(words)
    for word in feed:
        if word == "--":
            rest = list(feed)
            if not command.dash:
                raise Refused(f"kubectl {name} takes no -- here.")
            parsed.program = rest
            break
        if word.startswith("--"):
            _long(name, command, word, feed, parsed)
        elif word.startswith("-") and len(word) > 1:
            _short(name, command, word, feed, parsed)
        elif word == "-":
            raise Refused(
                "- would read text that is typed, which is not possible here. Use the editor beside the console."
            )
        else:
            parsed.words.append(word)
    return parsed


def _long(name: str, command: Command, word: str, feed: Iterator[str], parsed: _Parsed) -> None:
    flag, equals, value = word[2:].partition("=")
    takes = command.flags.get(flag)
    if takes is None:
        _refuse_flag(name, flag, word)
    parsed.flags.append((flag, value if equals else _value(takes, word, feed)))


def _short(name: str, command: Command, word: str, feed: Iterator[str], parsed: _Parsed) -> None:
    rest = word[1:]
    while rest:
        letter, rest = rest[0], rest[1:]
        flag = command.short.get(letter)
        if flag is None:
            _refuse_flag(name, letter, f"-{letter}")
        takes = command.flags[flag]
        if rest.startswith("="):
            parsed.flags.append((flag, rest[1:]))
            return
        if takes in (Takes.NOTHING, Takes.MAYBE):
            parsed.flags.append((flag, _value(takes, word, feed)))
            continue
        parsed.flags.append((flag, rest or _value(takes, word, feed)))
        return


_BARE = {"dry-run": "unchanged", "validate": "strict", "cascade": "background"}
"""What kubectl takes a flag with an optional value to mean when it stands alone; filled in by :func:`_value`."""


def _value(takes: Takes, word: str, feed: Iterator[str]) -> str:
    if takes is Takes.NOTHING:
        return "true"
    if takes is Takes.MAYBE:
        return _BARE.get(word.lstrip("-"), "true")
    found = next(feed, None)
    if found is None:
        raise Refused(f"{word[:40]} needs a value.")
    return found


def _checked(name: str, command: Command, flag: str, value: str, workspace: Path) -> str:
    takes = command.flags[flag]
    if takes is Takes.NOTHING:
        if value.lower() not in _BOOLS:
            raise Refused(f"--{flag} takes true or false.")
        return _BOOLS[value.lower()]
    if takes is Takes.FILE:
        return ",".join(workspace_file(part, workspace, f"kubectl {name}") for part in value.split(","))
    if takes is Takes.OUTPUT and value.partition("=")[0] not in _FORMATS:
        raise Refused(
            f"The output format {value.partition('=')[0][:40]} is refused.",
            cure="There are: " + ", ".join(_FORMATS) + ".",
        )
    return value


def _plain_word(word: str) -> str:
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", word):
        raise Refused(f"{word[:60]} is refused: no URL is read here. Copy the manifest into the editor.")
    return word


def workspace_file(given: str, workspace: Path, who: str) -> str:
    """A file of the lab's workspace, as a relative path.

    :raises Refused: it is a URL, lies elsewhere, is no plain file, or is not there.
    """
    if given == "-":
        raise Refused(
            f"{who} -f - would read text that is typed, which is not possible here. Use the editor beside the console."
        )
    _plain_word(given)
    path = Path(given)
    if not given or path.is_absolute() or ".." in path.parts or given.startswith("~") or "*" in given or "\0" in given:
        raise Refused(f"{given[:60]} is refused: only files of this lab are read here.", cure="Type ls to see them.")
    root = workspace.resolve()
    full = root / path
    if any(p.is_symlink() for p in (full, *full.parents) if root in p.parents) or root not in full.resolve().parents:
        raise Refused(f"{given[:60]} is refused: it leads out of this lab's files.", cure="Type ls to see them.")
    if not full.is_file():
        raise Refused(f"There is no file {given[:60]} in this lab.", cure="Type ls to see its files.")
    if full.stat().st_size > _MAX_FILE_BYTES:
        raise Refused(f"{given[:60]} is larger than {_MAX_FILE_BYTES // 1024 // 1024} MB.")
    return "./" + full.relative_to(root).as_posix()


def _drop_terminal(name: str, parsed: _Parsed) -> list[str]:
    if name not in ("exec", "run"):
        return []
    dropped = {"tty"} | ({"stdin"} if name == "exec" else set())
    kept = [(f, v) for f, v in parsed.flags if f not in dropped]
    if kept == parsed.flags:
        return []
    parsed.flags = kept
    return [
        "This console is not a terminal, so -t is left out. For a shell inside a pod use kubetutor lab shell in your own terminal."
    ]


def _follows(name: str, parsed: _Parsed) -> bool:
    on = {f for f, v in parsed.flags if v.lower() not in ("0", "f", "false")}
    if name in ("wait", "rollout", "run", "delete"):
        return True
    return bool(on & {"follow", "watch", "watch-only", "wait"})
