"""Runs a parsed script: words are expanded, pipelines joined, tools called."""

from __future__ import annotations

import asyncio
import fnmatch
import re
import struct
from collections.abc import Coroutine
from typing import Any

from tutor.kubesim.shell import tools
from tutor.kubesim.shell.arithmetic import ArithmeticProblem, arithmetic
from tutor.kubesim.shell.context import MAX_OUTPUT, Context, Exit, Expired, Input, Io, Stop
from tutor.kubesim.shell.grammar import (
    Case,
    Command,
    Group,
    If,
    Loop,
    Part,
    Pipeline,
    Sequence,
    Simple,
    SyntaxProblem,
    Word,
    parse,
)


async def run_script(ctx: Context, text: str, io: Io) -> int:
    """Run a script; a syntax error prints the shell's message and gives 2."""
    try:
        tree = parse(text)
    except SyntaxProblem as e:
        io.complain(f"sh: {e}")
        return 2
    try:
        return await run_sequence(ctx, tree, io)
    except ArithmeticProblem as e:
        io.complain(f"sh: {e}")
        return 2


async def run_sequence(ctx: Context, tree: Sequence, io: Io) -> int:
    """Run pipelines in order, respecting ``&&`` and ``||``."""
    code = 0
    for joiner, pipeline in tree.items:
        if (joiner == "&&" and code != 0) or (joiner == "||" and code == 0):
            continue
        if pipeline.background:
            ctx.jobs.append(asyncio.create_task(_apart(_pipeline(ctx.subshell(), pipeline, io), io)))
            ctx.spawned.append(ctx.jobs[-1])
            code = ctx.last_code = 0
            continue
        code = ctx.last_code = await _pipeline(ctx, pipeline, io)
    return code


async def _pipeline(ctx: Context, pipeline: Pipeline, io: Io) -> int:
    if len(pipeline.commands) == 1:
        code = await _command(ctx, pipeline.commands[0], io)
        return int(not code) if pipeline.inverted else code
    source, code = io.stdin, 0
    for command in pipeline.commands[:-1]:
        piece = _Buffer()
        await _apart(_command(ctx, command, Io(source, piece.add, io.err)))
        source = Input(bytes(piece.data))
    code = await _apart(_command(ctx, pipeline.commands[-1], Io(source, io.out, io.err)))
    return int(not code) if pipeline.inverted else code


async def _apart(work: Coroutine[Any, Any, int], io: Io | None = None) -> int:
    """A part that runs in a process of its own: its ``exit`` ends only itself."""
    try:
        return await work
    except Exit as end:
        return end.code
    except ArithmeticProblem as problem:
        if io is not None:
            io.complain(f"sh: {problem}")
        return 2


class _Buffer:
    """Collects output up to the limit."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, chunk: bytes) -> None:
        if len(self.data) + len(chunk) > MAX_OUTPUT:
            raise Stop(141)
        self.data += chunk


async def _command(ctx: Context, command: Command, io: Io) -> int:
    ctx.step()
    match command:
        case Simple():
            return await _simple(ctx, command, io)
        case Group() if command.subshell:
            return await _apart(run_sequence(ctx.subshell(), command.body, io))
        case Group():
            return await run_sequence(ctx, command.body, io)
        case Case():
            return await _case(ctx, command, io)
        case If():
            if await run_sequence(ctx, command.condition, io) == 0:
                return await run_sequence(ctx, command.then, io)
            return await run_sequence(ctx, command.otherwise, io) if command.otherwise else 0
        case Loop():
            return await _loop(ctx, command, io)


async def _case(ctx: Context, command: Case, io: Io) -> int:
    value = await _text(ctx, command.word)
    for patterns, body in command.branches:
        for pattern in patterns:
            if fnmatch.fnmatchcase(value, await _text(ctx, pattern)):
                return await run_sequence(ctx, body, io)
    return 0


async def _loop(ctx: Context, loop: Loop, io: Io) -> int:
    code = 0
    if loop.kind == "for":
        for value in [w for word in loop.words for w in await _expand(ctx, word)]:
            ctx.env[loop.name] = value
            code = await run_sequence(ctx, loop.body, io)
        return code
    assert loop.condition is not None
    while (await run_sequence(ctx, loop.condition, io) == 0) is (loop.kind == "while"):
        code = await run_sequence(ctx, loop.body, io)
        await ctx.sleep(0)
    return code


async def _simple(ctx: Context, command: Simple, io: Io) -> int:
    ctx.substituted = 0
    for name, word in command.assigns:
        ctx.env[name] = await _text(ctx, word)
    words = [w for word in command.words for w in await _expand(ctx, word)]
    writes: dict[str, bytearray] = {}
    shell = io
    for r in command.redirects:
        target = await _text(ctx, r.target)
        if r.op == ">&":
            io = Io(io.stdin, io.out, io.out) if r.fd == 2 else Io(io.stdin, io.err, io.err)
        elif r.op == "<":
            content = ctx.read(target)
            if content is None:
                io.complain(f"sh: can't open {target}: no such file")
                return 1
            io = Io(Input(content), io.out, io.err)
        else:
            path = ctx.absolute(target)
            buffer = bytearray(ctx.files.get(path, b"") if r.op == ">>" else b"")
            writes[path] = buffer
            sink = buffer.extend
            io = Io(io.stdin, sink, io.err) if r.fd == 1 else Io(io.stdin, io.out, sink)
    try:
        code = await call(ctx, words, io) if words else ctx.substituted
        if code == 143 and words[:1] == ["timeout"]:
            shell.err(b"Terminated\n")
        return code
    finally:
        for path, buffer in writes.items():
            if path != "/dev/null":
                ctx.files[path] = bytes(buffer[: 1024 * 1024])


async def call(ctx: Context, words: list[str], io: Io) -> int:
    """Run one command by name: a builtin, or a tool of the image."""
    name = (
        words[0].rpartition("/")[2] if words[0].startswith(("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")) else words[0]
    )
    if name == "exit":
        raise Exit(int(words[1]) % 256 if len(words) > 1 and words[1].isdigit() else ctx.last_code)
    if name == "wait":
        await asyncio.gather(*ctx.jobs)
        ctx.jobs.clear()
        return 0
    if name in ("sh", "ash"):
        return await _sh(ctx, words[1:], io)
    if name == "timeout":
        return await _timeout(ctx, words[1:], io)
    if name == "time":
        return await _time(ctx, words[1:], io)
    tool = tools.TOOLS.get(name)
    if tool is not None:
        try:
            return await tool(ctx, words[1:], io)
        except (ValueError, LookupError, ArithmeticError, re.error, struct.error):
            # Arguments no tool's own check foresaw (a field list "x-", a number too large): said plainly, as a failure.
            io.complain(
                f"{name}: invalid arguments (or none the simulated pod understands): {' '.join(words[1:])[:200]}"
            )
            return 1
    if name in tools.NOT_SIMULATED:
        io.complain(f"{name}: not available in the simulated pod")
        return 127
    io.complain(f"sh: {words[0]}: not found")
    return 127


async def _sh(ctx: Context, args: list[str], io: Io) -> int:
    flags = [a for a in args if a.startswith("-")]
    rest = [a for a in args if not a.startswith("-")]
    if any("c" in f for f in flags):
        return await _apart(run_script(ctx, rest[0] if rest else "", io))
    if rest:
        content = ctx.read(rest[0])
        if content is None:
            io.complain(f"sh: can't open '{rest[0]}': No such file or directory")
            return 2
        io.complain(f"sh: running the script {rest[0]} is not available in the simulated pod")
        return 126
    text = (await io.stdin.read()).decode(errors="replace")
    return await _apart(run_script(ctx, text, Io(Input(), io.out, io.err)))


async def _timeout(ctx: Context, args: list[str], io: Io) -> int:
    """Ends a command that waits longer than the limit, with the code of a process that TERM has ended."""
    while args and args[0].startswith("-"):
        args = args[2:] if args[0] in ("-s", "-k") else args[1:]
    if len(args) < 2:
        io.complain("BusyBox v1.36.1 multi-call binary.\n\nUsage: timeout [-s SIG] [-k KILL_SECS] SECS PROG ARGS")
        return 1
    limit = args[0].rstrip("s")
    if not limit.replace(".", "", 1).isdigit():
        io.complain(f"timeout: invalid number '{args[0]}'")
        return 1
    before, start = ctx.budget, ctx.elapsed
    ctx.budget = float(limit) if before is None else min(float(limit), before)
    try:
        return await call(ctx, args[1:], io)
    except Expired:
        if before is not None and ctx.elapsed - start >= before:
            raise
        return 143
    finally:
        ctx.budget = None if before is None else before - (ctx.elapsed - start)


async def _time(ctx: Context, words: list[str], io: Io) -> int:
    """A command, and the time it would have taken in a real pod."""
    start = ctx.elapsed
    code = await call(ctx, words, io) if words else 0
    if code:
        io.complain(f"Command exited with non-zero status {code}")
    minutes, seconds = divmod(ctx.elapsed - start, 60)
    io.complain(f"real\t{int(minutes)}m {seconds:.2f}s\nuser\t0m 0.00s\nsys\t0m 0.00s")
    return code


async def _expand(ctx: Context, word: Word) -> list[str]:
    """A word after expansion: unquoted values are split at blanks."""
    fields: list[str] = [""]
    started = False
    for part in word:
        value = await _value(ctx, part)
        if part.kind == "text" or part.quoted:
            fields[-1] += value
            started = True
            continue
        pieces = value.split()
        if not pieces:
            continue
        if value[:1].isspace() and fields[-1]:
            fields.append("")
        fields[-1] += pieces[0]
        fields += pieces[1:]
        started = True
    return fields if started else []


async def _text(ctx: Context, word: Word) -> str:
    return "".join([await _value(ctx, part) for part in word])


async def _value(ctx: Context, part: Part) -> str:
    if part.kind == "text":
        return part.text
    if part.kind == "command":
        piece = _Buffer()
        inner = ctx.subshell()
        ctx.substituted = await _apart(run_script(inner, part.text, Io(Input(), piece.add, ctx.complaints)))
        ctx.steps, ctx.elapsed, ctx.budget = inner.steps, inner.elapsed, inner.budget
        return piece.data.decode(errors="replace").rstrip("\n")
    if part.kind == "arithmetic":
        return arithmetic(part.text, ctx.env)
    return _variable(ctx, part.text)


def _variable(ctx: Context, name: str) -> str:
    special = {"?": str(ctx.last_code), "$": "1", "#": "0", "@": "", "*": "", "0": "sh"}
    if name in special:
        return special[name]
    default = re.match(r"(\w+)(:?[-=])(.*)", name)
    if default:
        value = ctx.env.get(default[1], "")
        return value or default[3]
    if name.startswith("#"):
        return str(len(ctx.env.get(name[1:], "")))
    return ctx.env.get(name, "")
