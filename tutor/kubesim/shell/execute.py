"""One exec session: a command with its streams, or an interactive shell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from tutor.kubesim import dataplane
from tutor.kubesim.shell import tools
from tutor.kubesim.shell.context import Context, Io, Stop
from tutor.kubesim.shell.interpret import call, run_script
from tutor.kubesim.view import Object, View

Write = Callable[[int, bytes], Awaitable[None]]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NotExecutable(Exception):
    """The command is no program of the image; the message is the container runtime's."""


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

    :param stdin: what the client sends, or None when it sends nothing.
    :param write: takes (1 or 2, bytes).
    :returns: the exit code.
    :raises NotExecutable: there is no such program in the image.
    """
    ctx = Context(view, namespace, pod["metadata"]["name"], container, clock, timeout_scale)
    ctx.env = environment(view(), pod, container)
    name = argv[0].rpartition("/")[2]
    if ctx.process.tools == "none":
        raise NotExecutable(
            f"not available in the simulated pod: the image {container.get('image')} is not simulated beyond its ports"
        )
    if name not in tools.TOOLS and name not in ("sh", "ash", "timeout", "time") and name not in tools.NOT_SIMULATED:
        raise NotExecutable(f'exec: "{argv[0]}": executable file not found in $PATH')
    queue: list[tuple[int, bytes]] = []
    io = Io(b"", lambda b: queue.append((1, b)), lambda b: queue.append((1 if tty else 2, b)))

    async def flush() -> None:
        for stream, data in queue:
            await write(stream, data.replace(b"\n", b"\r\n") if tty else data)
        queue.clear()

    shell = name in ("sh", "ash") and not any("c" in a for a in argv[1:] if a.startswith("-")) and len(argv) == 1
    try:
        if shell and tty and stdin is not None:
            return await _interactive(ctx, io, stdin, write, flush)
        if stdin is not None:
            io.stdin = b"".join([chunk async for chunk in stdin])
        task = asyncio.ensure_future(call(ctx, argv, io))
        while not task.done():
            await asyncio.wait({task}, timeout=0.05)
            await flush()
        return task.result()
    except Stop as stop:
        return stop.code
    finally:
        await flush()


async def _interactive(
    ctx: Context, io: Io, stdin: AsyncIterator[bytes], write: Write, flush: Callable[[], Awaitable[None]]
) -> int:
    """A prompt with the least line editing that feels right: backspace, ^C, ^D."""
    await write(1, b"/ # ")
    line = bytearray()
    async for chunk in stdin:
        for byte in chunk:
            if byte in (3,):
                line.clear()
                await write(1, b"^C\r\n/ # ")
            elif byte == 4 and not line:
                await write(1, b"\r\n")
                return ctx.last_code
            elif byte in (8, 127):
                if line:
                    del line[-1]
                    await write(1, b"\b \b")
            elif byte in (10, 13):
                await write(1, b"\r\n")
                text, line = line.decode(errors="replace"), bytearray()
                ctx.steps = 0
                await run_script(ctx, text, io)
                await flush()
                await write(1, b"/ # ")
            elif byte >= 32:
                line.append(byte)
                await write(1, bytes([byte]))
    return ctx.last_code


def environment(view: View, pod: Object, container: Object) -> dict[str, str]:
    """A container's environment: its own variables and those of the services in its namespace."""
    env = {"PATH": _PATH, "HOSTNAME": pod["metadata"]["name"], "HOME": "/root"}
    dataplane.policy_cluster(view)
    for service in view.list("services"):
        meta, spec = service["metadata"], service["spec"]
        local = meta["namespace"] == pod["metadata"]["namespace"] or (meta["namespace"], meta["name"]) == (
            "default",
            "kubernetes",
        )
        ip = spec.get("clusterIP")
        if not local or not ip or ip == "None":
            continue
        name = meta["name"].upper().replace("-", "_")
        ports = spec.get("ports") or []
        if ports:
            env |= {f"{name}_SERVICE_HOST": ip, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
            env[f"{name}_PORT"] = f"{ports[0].get('protocol', 'TCP').lower()}://{ip}:{ports[0]['port']}"
    for variable in container.get("env") or []:
        source = (variable.get("valueFrom") or {}).get("fieldRef", {}).get("fieldPath")
        fields = {
            "metadata.name": pod["metadata"]["name"],
            "metadata.namespace": pod["metadata"]["namespace"],
            "status.podIP": (pod.get("status") or {}).get("podIP", ""),
        }
        env[variable["name"]] = str(variable.get("value", "")) or fields.get(source or "", "")
    return env
