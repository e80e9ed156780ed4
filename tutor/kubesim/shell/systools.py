"""Tools that tell about the pod, and the shell's small builtins."""

from __future__ import annotations

import posixpath
from datetime import UTC
from typing import Any

from tutor.kubesim import dataplane
from tutor.kubesim.shell.context import Context, Io


async def true(ctx: Context, args: list[str], io: Io) -> int:
    """Nothing, well."""
    return 0


async def false(ctx: Context, args: list[str], io: Io) -> int:
    """Nothing, badly."""
    return 1


async def env(ctx: Context, args: list[str], io: Io) -> int:
    """The environment."""
    for name, value in ctx.env.items():
        if not name.startswith("_"):
            io.print(f"{name}={value}")
    return 0


async def printenv(ctx: Context, args: list[str], io: Io) -> int:
    """One variable, or all."""
    if not args:
        return await env(ctx, args, io)
    if args[0] not in ctx.env:
        return 1
    io.print(ctx.env[args[0]])
    return 0


async def export(ctx: Context, args: list[str], io: Io) -> int:
    """Set variables."""
    for word in args:
        name, eq, value = word.partition("=")
        if eq:
            ctx.env[name] = value
    return 0


async def unset(ctx: Context, args: list[str], io: Io) -> int:
    """Forget variables."""
    for name in args:
        ctx.env.pop(name, None)
    return 0


async def hostname(ctx: Context, args: list[str], io: Io) -> int:
    """The pod's name; ``-i`` its address."""
    io.print(dataplane.pod_ips(ctx.pod)[0] if "-i" in args else ctx.pod_name)
    return 0


async def whoami(ctx: Context, args: list[str], io: Io) -> int:
    """The user."""
    io.print("root")
    return 0


async def identity(ctx: Context, args: list[str], io: Io) -> int:
    """``id``."""
    io.print("0" if "-u" in args or "-g" in args else "uid=0(root) gid=0(root) groups=0(root),10(wheel)")
    return 0


async def uname(ctx: Context, args: list[str], io: Io) -> int:
    """The system's name."""
    io.print(f"Linux {ctx.pod_name} 6.1.0 #1 SMP x86_64 GNU/Linux" if "-a" in args else "Linux")
    return 0


async def date(ctx: Context, args: list[str], io: Io) -> int:
    """The time, UTC; ``+FORMAT``."""
    now = ctx.clock().astimezone(UTC)
    form = next((a[1:] for a in args if a.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    io.print(now.strftime(form.replace("%s", str(int(now.timestamp())))))
    return 0


async def sleep(ctx: Context, args: list[str], io: Io) -> int:
    """Wait, shortened as all waiting in the simulated cluster."""
    if not args or not args[0].rstrip("smhd").replace(".", "", 1).isdigit():
        io.complain(f"sleep: invalid number '{args[0] if args else ''}'")
        return 1
    unit = {"m": 60, "h": 3600, "d": 86400}.get(args[0][-1], 1)
    await ctx.wait(float(args[0].rstrip("smhd")) * unit)
    return 0


async def processes(ctx: Context, args: list[str], io: Io) -> int:
    """``ps``: the main process and this one."""
    io.print("PID   USER     TIME  COMMAND")
    io.print(f"    1 root      0:00 {' '.join(ctx.process.argv)}")
    io.print("   17 root      0:00 ps")
    return 0


async def listing(ctx: Context, args: list[str], io: Io) -> int:
    """``ls``: the top directory, and files this session wrote or that are mounted."""
    paths = [a for a in args if not a.startswith("-")] or [ctx.cwd]
    directory = ctx.absolute(paths[0]).rstrip("/") + "/"
    if directory == "//" or directory == "/":
        io.print("\n".join(["bin", "dev", "etc", "home", "lib", "proc", "root", "sys", "tmp", "usr", "var"]))
        return 0
    names = {p.removeprefix(directory).partition("/")[0] for p in ctx.files if p.startswith(directory)}
    for mount in ctx.container.get("volumeMounts") or []:
        if mount["mountPath"].rstrip("/") + "/" == directory:
            volume: dict[str, Any] = next(
                (v for v in ctx.pod["spec"].get("volumes") or [] if v["name"] == mount["name"]), {}
            )
            config = ctx.view().get("configmaps", ctx.namespace, (volume.get("configMap") or {}).get("name", "")) or {}
            names |= set(config.get("data") or {})
    if directory == "/etc/":
        names |= {"hostname", "hosts", "passwd", "resolv.conf"}
    if not names and ctx.read(paths[0]) is not None:
        names = {paths[0]}
    if not names and directory != "/tmp/":  # noqa: S108 - the simulated pod's directory
        io.complain(f"ls: {paths[0]}: No such file or directory")
        return 1
    for name in sorted(names):
        io.print(name)
    return 0


async def test(ctx: Context, args: list[str], io: Io) -> int:
    """Conditions: ``-n -z -f -e``, ``= !=`` and the numeric comparisons."""
    words = args[:-1] if args and args[-1] == "]" else args
    if words[:1] == ["!"]:
        return int(not await test(ctx, words[1:], io))
    match words:
        case []:
            return 1
        case ["-n", value] | [value]:
            return 0 if value else 1
        case ["-z", value]:
            return 1 if value else 0
        case ["-f" | "-e" | "-s" | "-r", path]:
            return 0 if ctx.read(path) is not None else 1
        case [left, "=" | "==", right]:
            return 0 if left == right else 1
        case [left, "!=", right]:
            return 0 if left != right else 1
        case [left, ("-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge") as op, right]:
            if not (left.lstrip("-").isdigit() and right.lstrip("-").isdigit()):
                io.complain(f"sh: {left}: bad number")
                return 2
            a, b = int(left), int(right)
            ok = {"-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b}[op]
            return 0 if ok else 1
    io.complain(f"sh: {words[0]}: unknown operand")
    return 2


async def cd(ctx: Context, args: list[str], io: Io) -> int:
    """Change the working directory."""
    path = posixpath.normpath(ctx.absolute(args[0])) if args else "/root"
    if path not in ("/", "/root", "/tmp", "/etc", "/bin", "/var", "/home") and not any(  # noqa: S108 - the pod's own
        name.startswith(f"{path}/") for name in [*ctx.files, *_mounts(ctx)]
    ):
        io.complain(f"sh: cd: line 0: can't cd to {args[0]}: No such file or directory")
        return 2
    ctx.cwd = path
    return 0


def _mounts(ctx: Context) -> list[str]:
    return [m["mountPath"].rstrip("/") + "/" for m in ctx.container.get("volumeMounts") or []]


async def pwd(ctx: Context, args: list[str], io: Io) -> int:
    """The working directory."""
    io.print(ctx.cwd)
    return 0


async def which(ctx: Context, args: list[str], io: Io) -> int:
    """Where a program is."""
    from tutor.kubesim.shell import tools

    code = 0
    for name in args:
        if name in tools.TOOLS or name in ("sh", "ash") or name in tools.NOT_SIMULATED:
            io.print(f"/bin/{name}")
        else:
            code = 1
    return code


async def busybox(ctx: Context, args: list[str], io: Io) -> int:
    """The program itself: runs a tool by name."""
    from tutor.kubesim.shell.interpret import call

    if args:
        return await call(ctx, args, io)
    io.print("BusyBox v1.36.1 (simulated) multi-call binary.")
    return 0


async def read(ctx: Context, args: list[str], io: Io) -> int:
    """``read [-r] NAME…``: a line of standard input, the last name takes what is left."""
    names = [a for a in args if not a.startswith("-")] or ["REPLY"]
    line = await io.stdin.line()
    words = (line or b"").decode(errors="replace").rstrip("\n").split(None, len(names) - 1)
    for i, name in enumerate(names):
        ctx.env[name] = words[i].rstrip() if i < len(words) else ""
    return 0 if line is not None else 1


TOOLS = {
    "true": true, ":": true, "false": false, "env": env, "printenv": printenv, "export": export, "unset": unset, "set": true,
    "hostname": hostname, "whoami": whoami, "id": identity, "uname": uname, "date": date, "sleep": sleep, "ps": processes,
    "ls": listing, "test": test, "[": test, "cd": cd, "pwd": pwd, "which": which, "busybox": busybox, "clear": true, "sync": true,
    "read": read,
}  # fmt: skip
