"""The console of the lab page: one line in, output as it comes, an exit code at last. Real kubectl, never a shell."""

from __future__ import annotations

import codecs
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tutor.clusters.process import CommandTimeout, Limits, OutputLimit, Running, kubectl_path, start
from tutor.errors import KubetutorError, Refused
from tutor.labs.console import filters
from tutor.labs.console.flags import COMMANDS
from tutor.labs.console.kubectl import plan, workspace_file
from tutor.labs.console.line import split

SECONDS = 30.0
FOLLOW_SECONDS = 120.0
OUTPUT_BYTES = 256 * 1024
MEMORY_BYTES = 1024 * 1024 * 1024
_GO_MEMORY = "256MiB"
_AT_ONCE = 8
_REFUSED_CODE = 2

Starter = Callable[..., Running]
_slots = threading.BoundedSemaphore(_AT_ONCE)


class Console:
    """Runs console lines.

    :param kubectl: the kubectl to run; the one installed with Kubetutor when empty.
    :param starter: starts programs; tests pass their own.
    """

    def __init__(self, kubectl: str = "", starter: Starter = start) -> None:
        self._kubectl = kubectl
        self._starter = starter

    def run(self, directory: Path, kubeconfig: str, line: str) -> Iterator[dict[str, Any]]:
        """Run one line.

        :param directory: the lab's private directory, with ``work`` and ``home`` in it.
        :returns: ``{"stream", "text"}`` (stdout, stderr, note, info or error), at last ``{"exit": code}``.
            Closing it early ends the command.
        """
        try:
            yield from self._run(directory, kubeconfig, line)
        except Refused as e:
            yield {"stream": "error", "text": f"{e}\n"}
            yield {"exit": _REFUSED_CODE}
        except KubetutorError as e:
            yield {"stream": "error", "text": f"{e}\n"}
            yield {"exit": 1}

    def _run(self, directory: Path, kubeconfig: str, line: str) -> Iterator[dict[str, Any]]:
        commands = split(line)
        first = commands[0]
        if not first:
            yield {"exit": 0}
            return
        pipes = [filters.make(words) for words in commands[1:]]
        own = _own(first, directory / "work")
        if own is not None:
            yield from _piped(({"stream": "stdout", "text": text} for text in own), pipes)
            yield {"exit": _code(0, pipes)}
            return
        if first[0] not in ("kubectl", "k"):
            raise Refused(
                f"{first[0][:40]} is not run here: this console runs kubectl, ls, cat and help.", cure=_cure(first[0])
            )
        wanted = plan(first[1:], directory / "work")
        for note in wanted.notes:
            yield {"stream": "note", "text": f"{note}\n"}
        if not _slots.acquire(blocking=False):
            raise Refused("Too many commands run at this moment.", cure="Wait for one to end, or stop it.")
        try:
            limits = Limits(FOLLOW_SECONDS if wanted.follows else SECONDS, OUTPUT_BYTES, MEMORY_BYTES)
            argv = [kubectl_path(self._kubectl), *wanted.argv]
            running = self._starter(argv, limits, env=_environment(directory, kubeconfig), cwd=directory / "work")
            yield from _piped(_decoded(running), pipes)
            yield {"exit": _code(running.code or 0, pipes)}
        finally:
            _slots.release()


def _code(code: int, pipes: Sequence[filters.Filter]) -> int:
    return pipes[-1].code if pipes else code


def _cure(program: str) -> str:
    inside = ("nslookup", "wget", "nc", "ping", "sh", "dig", "curl", "ip", "hostname", "env")
    if program in inside:
        return f"To run it inside a pod: kubectl exec POD -n NAMESPACE -- {program} …"
    return "Type help to see what it runs."


def _environment(directory: Path, kubeconfig: str) -> Mapping[str, str]:
    home = directory / "home"
    path = home / "kubeconfig"
    if not path.exists() or path.read_text() != kubeconfig:
        fresh = home / f"kubeconfig.{os.getpid()}.{threading.get_ident()}"
        fresh.touch(mode=0o600)
        fresh.write_text(kubeconfig)
        fresh.replace(path)
    return {
        "HOME": str(home),
        "KUBECONFIG": str(path),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "KUBECTL_KUBERC": "false",
        "GOMEMLIMIT": _GO_MEMORY,
        "GOMAXPROCS": "2",
    }


def _decoded(running: Running) -> Iterator[dict[str, Any]]:
    decoders = {s: codecs.getincrementaldecoder("utf-8")("replace") for s in ("stdout", "stderr")}
    try:
        for chunk in running:
            if text := decoders[chunk.stream].decode(chunk.data):
                yield {"stream": chunk.stream, "text": text}
    except (CommandTimeout, OutputLimit) as e:
        running.code = 124
        yield {"stream": "note", "text": f"\n{e}\n"}


def _piped(chunks: Iterator[dict[str, Any]], pipes: Sequence[filters.Filter]) -> Iterator[dict[str, Any]]:
    """Send stdout through the filters; everything else goes straight to the screen, as in a shell."""
    if not pipes:
        yield from chunks
        return
    rest = ""
    for chunk in chunks:
        if chunk["stream"] != "stdout":
            yield chunk
            continue
        *lines, rest = (rest + chunk["text"]).split("\n")
        yield from _shown(_through(lines, pipes))
        if any(p.done for p in pipes):
            rest = ""
            _close(chunks)
            break
    yield from _shown(_through([rest] if rest else [], pipes))
    for i, pipe in enumerate(pipes):
        yield from _shown(_through(pipe.finish(), pipes[i + 1 :]))


def _close(chunks: Iterator[Any]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


def _through(lines: Iterable[str], pipes: Sequence[filters.Filter]) -> list[str]:
    now = list(lines)
    for pipe in pipes:
        out: list[str] = []
        for line in now:
            if pipe.done:
                break
            out += pipe.feed(line)
        now = out
    return now


def _shown(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    if lines:
        yield {"stream": "stdout", "text": "".join(f"{line}\n" for line in lines)}


def _own(words: Sequence[str], workspace: Path) -> list[str] | None:
    """What the console answers itself; None when it is for kubectl."""
    name, rest = words[0], list(words[1:])
    if name == "help":
        return [_HELP]
    if name == "clear":
        return []
    if name == "pwd":
        return ["the files of this lab; ls shows them\n"]
    if name == "ls":
        if any(not w.startswith("-") for w in rest):
            raise Refused("ls here shows the files of this lab and takes no path.")
        return ["".join(f"{p.name}\n" for p in sorted(workspace.iterdir()) if p.is_file())]
    if name == "cat":
        if not rest:
            raise Refused("cat needs the name of a file.", cure="Type ls to see them.")
        return [(workspace / workspace_file(w, workspace, "cat")).read_text(errors="replace") for w in rest]
    return None


_HELP = f"""\
kubectl COMMAND …   (k for short), with these commands:
  {", ".join(sorted(COMMANDS))}
  | grep, head, tail, wc   to look through the output
ls, cat FILE        the files of this lab, for kubectl apply -f FILE
clear               an empty screen

Manifests are written in the editor beside the console. Commands inside a pod: kubectl exec POD -- COMMAND.
A command may take {SECONDS:g} s, following ones (logs -f, get -w, wait) {FOLLOW_SECONDS:g} s.
For a shell of your own with this lab's kubectl, run in a terminal: kubetutor lab shell
"""
