"""One exec session: a command with its streams, or an interactive shell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from tutor.kubesim.shell import tools
from tutor.kubesim.shell.context import Context, Expired, Input, Io, Stop
from tutor.kubesim.shell.environment import environment
from tutor.kubesim.shell.grammar import SyntaxProblem, parse
from tutor.kubesim.shell.interpret import call, run_script
from tutor.kubesim.shell.terminal import Terminal
from tutor.kubesim.view import Object, View

Write = Callable[[int, bytes], Awaitable[None]]
_FLUSH_S = 0.05
_INTERRUPTED = 130


class NotExecutable(Exception):
    """The command is no program of the image; the message is the container runtime's."""


class _Output:
    """Collects what commands write, and sends it on."""

    def __init__(self, write: Write, tty: bool) -> None:
        self._write, self._tty = write, tty
        self._queue: list[tuple[int, bytes]] = []

    def out(self, data: bytes) -> None:
        self._queue.append((1, data))

    def err(self, data: bytes) -> None:
        self._queue.append((1 if self._tty else 2, data))

    async def flush(self) -> None:
        queue, self._queue = self._queue, []
        for stream, data in queue:
            if data:
                await self._write(stream, data.replace(b"\n", b"\r\n") if self._tty else data)

    async def drive(self, work: Coroutine[Any, Any, int], started: Callable[[asyncio.Task[int]], None]) -> int:
        """Run a command, sending its output meanwhile; a cancelled session cancels the command."""
        task = asyncio.ensure_future(work)
        started(task)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=_FLUSH_S)
                await self.flush()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def execute(
    view: Callable[[], View],
    namespace: str,
    pod: Object,
    container: Object,
    argv: list[str],
    stdin: AsyncIterator[bytes] | None,
    tty: bool,
    write: Write,
    clock: Callable[[], datetime],
    timeout_scale: float,
) -> int:
    """Run a command in a container.

    :param stdin: what the client sends, or None when it sends nothing. Read only when the command reads.
    :param write: takes (1 or 2, bytes).
    :returns: the exit code.
    :raises NotExecutable: there is no such program in the image.
    """
    ctx = Context(view, namespace, pod["metadata"]["name"], container, clock, timeout_scale)
    ctx.env = environment(view(), pod, container)
    _refuse_missing(ctx, argv[0])
    output = _Output(write, tty)
    ctx.complaints = output.err
    terminal = Terminal(stdin, lambda data: write(1, data)) if tty and stdin is not None else None
    more = terminal.lines() if terminal else stdin
    io = Io(Input(b"", more), output.out, output.err)
    try:
        if terminal and len(argv) == 1 and _name(argv[0]) in ("sh", "ash"):
            return await _interactive(ctx, io, terminal, output, write)
        watch = _interrupts(terminal)
        return await output.drive(_guarded(call(ctx, argv, io)), watch)
    except asyncio.CancelledError:
        if asyncio.current_task() is not None and asyncio.current_task().cancelling():  # type: ignore[union-attr]
            raise
        return _INTERRUPTED
    finally:
        if terminal:
            await terminal.close()
        for job in ctx.spawned:
            job.cancel()
        await asyncio.gather(*ctx.spawned, return_exceptions=True)
        await output.flush()


def _name(word: str) -> str:
    return word.rpartition("/")[2]


def _refuse_missing(ctx: Context, word: str) -> None:
    if ctx.process.tools == "none":
        image = ctx.container.get("image")
        raise NotExecutable(
            f'exec: "{word}": not available in the simulated pod: the image {image} has no simulated programs'
        )
    if not tools.exists(word):
        raise NotExecutable(f'exec: "{word}": executable file not found in $PATH')


def _interrupts(terminal: Terminal | None) -> Callable[[asyncio.Task[int]], None]:
    def watch(task: asyncio.Task[int]) -> None:
        if terminal:
            terminal.on_interrupt = lambda: _cancel(task)

    return watch


def _cancel(task: asyncio.Task[int]) -> None:
    task.cancel()


async def _guarded(work: Coroutine[Any, Any, int]) -> int:
    try:
        return await work
    except Stop as stop:
        return stop.code
    except Expired:
        return 143


async def _interactive(ctx: Context, io: Io, terminal: Terminal, output: _Output, write: Write) -> int:
    """A prompt; a command that needs another line gets one; ^C ends what runs, ^D or ``exit`` the session."""
    text = ""
    await _prompt(ctx, terminal, write, text)
    while (line := await terminal.line()) is not None:
        text += line.decode(errors="replace")
        if not _unfinished(text):
            ctx.steps = 0
            try:
                ctx.last_code = await output.drive(run_script(ctx, text, io), _interrupts(terminal))
            except Stop as stop:
                return stop.code
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                    raise
                ctx.last_code = _INTERRUPTED
            text = ""
        await _prompt(ctx, terminal, write, text)
    await write(1, b"\r\n")
    return ctx.last_code


async def _prompt(ctx: Context, terminal: Terminal, write: Write, text: str) -> None:
    prompt = b"> " if text else f"{ctx.cwd} # ".encode()
    terminal.on_interrupt = terminal.give_empty_line
    await write(1, prompt)


def _unfinished(text: str) -> bool:
    try:
        parse(text)
    except SyntaxProblem as problem:
        return "end of file" in str(problem) or "unterminated" in str(problem)
    return False
