"""``nc``, ``wget``, ``ping`` and the rest of busybox's network tools. Every packet goes through the data plane.

``nc`` is the one of the busybox image on Docker Hub (1.36, the "nc 1.10" flavour): it has ``-z -v -u -w``, and **says nothing
about a refusal or a time-out unless asked with -v**; only its exit code tells. Debian's busybox has a smaller ``nc``, which
prints "timed out" or "Connection refused" and knows no ``-z``. Listening is not simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tutor.kubesim import dataplane, dns, images
from tutor.kubesim.dataplane import Connection, Outcome
from tutor.kubesim.shell import answers
from tutor.kubesim.shell.context import Context, Io
from tutor.kubesim.shell.lookup import nslookup

_CONNECT_LIMIT_S = 127.0
_BOX = "BusyBox v1.36.1 multi-call binary.\n\nUsage: "


def options(args: list[str], with_value: str) -> tuple[dict[str, str], list[str]]:
    """Flags (a repeated one counts: ``vv``) and operands. ``with_value``: letters whose flag takes a value."""
    flags: dict[str, str] = {}
    rest: list[str] = []
    items = iter(args)
    for a in items:
        if a.startswith("--"):
            name, _, value = a[2:].partition("=")
            flags[name] = value or "1"
        elif a.startswith("-") and len(a) > 1:
            body = a[1:]
            while body:
                letter, body = body[0], body[1:]
                if letter in with_value:
                    flags[letter], body = body or next(items, ""), ""
                else:
                    flags[letter] = flags.get(letter, "") + letter
        else:
            rest.append(a)
    return flags, rest


async def find(ctx: Context, host: str, tool: str, io: Io) -> str:
    """The address of a host as the C library finds it; complains and gives nothing when there is none."""
    answer = dns.resolve(ctx.view(), ctx.pod, host)
    if answer.addresses:
        return answer.addresses[0]
    if answer.result is dns.Result.TIMEOUT:
        await ctx.wait(dns.RESOLVER_LIMIT_S)
    io.complain(f"{tool}: bad address '{host}'")
    return ""


# -- wget ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Request:
    host: str
    port: int
    path: str
    shown: str


def _request(text: str) -> _Request | None:
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port or 80
    except ValueError:
        return None
    if parts.scheme != "http" or not parts.hostname:
        return None
    return _Request(parts.hostname, port, parts.path, parts.netloc)


async def wget(ctx: Context, args: list[str], io: Io) -> int:
    """HTTP: ``-q -O FILE -T SECONDS -S --spider``. As in the real tool, ``-T`` does not limit the name lookup."""
    flags, rest = options(args, "OTUPYo")
    if not rest:
        io.complain(f"{_BOX}wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [-T SEC] [-U AGENT] URL...")
        return 1
    request = _request(rest[0])
    if request is None:
        io.complain(f"wget: not an http url: {rest[0]} (https and ftp are not available in the simulated pod)")
        return 1
    limit = flags.get("T") or flags.get("timeout") or ""
    if limit and not limit.isdigit():
        io.complain(f"wget: invalid number '{limit}'")
        return 1
    ip = await find(ctx, request.host, "wget", io)
    if not ip:
        return 1
    if "q" not in flags:
        io.complain(f"Connecting to {request.shown} ({ip}:{request.port})")
    connection = dataplane.connect(ctx.view(), ctx.pod, ip, request.port)
    if connection.outcome is Outcome.REFUSED:
        io.complain(f"wget: can't connect to remote host ({ip}): Connection refused")
        return 1
    silent = connection.listener is None or connection.listener.page is None
    if connection.outcome is Outcome.TIMEOUT or silent:
        await ctx.wait(float(limit) if limit else _CONNECT_LIMIT_S)
        late = f"can't connect to remote host ({ip}): Connection timed out"
        io.complain(f"wget: {'download timed out' if limit or silent else late}")
        return 1
    return _page(ctx, flags, request, connection, io)


def _page(ctx: Context, flags: dict[str, str], request: _Request, connection: Connection, io: Io) -> int:
    quiet = "q" in flags
    head, body = answers.page(ctx, connection, request.path)
    if "S" in flags:
        io.complain("\n".join(f"  {line}" for line in [*head, ""]))
    if not images.has_page(request.path):
        io.complain(f"wget: server returned error: {head[0]}")
        return 1
    if "spider" in flags:
        if not quiet:
            io.complain("remote file exists")
        return 0
    target = flags.get("O", "index.html")
    name = "-" if target == "-" else target.rpartition("/")[2]
    bar = f"{name:<20} 100% |********************************| {len(body):>5}  0:00:00 ETA"
    if target == "-":
        io.out(body)
        end = ["writing to stdout", bar, "written to stdout"]
    else:
        path = ctx.absolute(target)
        if "O" not in flags and ctx.read(path) is not None:
            io.complain(f"wget: can't open '{target}': File exists")
            return 1
        if path != "/dev/null":
            ctx.files[path] = body
        end = [f"saving to '{target}'", bar, f"'{target}' saved"]
    if not quiet:
        io.complain("\n".join(end))
    return 0


# -- nc --------------------------------------------------------------------------------------------------


async def nc(ctx: Context, args: list[str], io: Io) -> int:
    """``nc [-zvu] [-w SECONDS] HOST PORT``: standard input is sent, the answer printed."""
    program = args[args.index("-e") + 1 :] if "-e" in args else []
    flags, rest = options(args[: args.index("-e")] if "-e" in args else args, "wpiso")
    if "l" in flags:
        io.complain("nc: listening is not available in the simulated pod; containers listen by their arguments")
        return 1
    unknown = next((f for f in flags if f not in "zvuwnpisob"), "")
    if len(rest) != 2 or unknown:
        if unknown:
            io.complain(f"nc: invalid option -- '{unknown[0]}'")
        io.complain(f"{_BOX}nc [OPTIONS] HOST PORT  - connect\nnc [OPTIONS] -l -p PORT [HOST] [PORT]  - listen")
        return 1
    limit = flags.get("w", "")
    if not rest[1].isdigit() or not 0 < int(rest[1]) < 65536:
        io.complain(f"nc: bad port '{rest[1]}'")
        return 1
    if limit and not limit.isdigit():
        io.complain(f"nc: invalid number '{limit}'")
        return 1
    ip = await find(ctx, rest[0], "nc", io)
    if not ip:
        return 1
    connection = dataplane.connect(ctx.view(), ctx.pod, ip, int(rest[1]), "UDP" if "u" in flags else "TCP")
    where, loud = f"{rest[0]} ({ip}:{rest[1]})", len(flags.get("v", ""))
    if "u" in flags:
        return await _datagram(ctx, connection, float(limit or 1), "z" in flags, io)
    if connection.outcome is Outcome.TIMEOUT:
        await ctx.wait(float(limit) if limit else _CONNECT_LIMIT_S)
        if loud:
            io.complain(f"nc: {where}: Connection timed out")
        return 1
    if connection.outcome is Outcome.REFUSED:
        if loud > 1:
            io.complain(f"nc: {where}: Connection refused")
        return 1
    if loud:
        io.complain(f"{where} open")
    if "z" not in flags and not program:
        io.out(answers.stream(ctx, connection, await io.stdin.read()))
    return 0


async def _datagram(ctx: Context, connection: Connection, limit: float, scan: bool, io: Io) -> int:
    """UDP: only a closed port tells; silence and success look the same to a scan."""
    if connection.outcome is Outcome.REFUSED:
        return 1
    sent = b"" if scan else await io.stdin.read()
    reply = answers.datagram(ctx, connection, sent) if connection.outcome is Outcome.OPEN else b""
    io.out(reply)
    await ctx.wait(limit)
    return 0


# -- the rest --------------------------------------------------------------------------------------------


async def ping(ctx: Context, args: list[str], io: Io) -> int:
    """``-c N -W N``. NetworkPolicy does not speak of ICMP; here a ping passes where a rule lets every TCP port through."""
    flags, rest = options(args, "cWwisI")
    if not rest:
        io.complain(f"{_BOX}ping [OPTIONS] HOST")
        return 1
    ip = await find(ctx, rest[0], "ping", io)
    if not ip:
        return 1
    count = min(int(flags["c"]), 20) if flags.get("c", "").isdigit() else 4
    io.print(f"PING {rest[0]} ({ip}): 56 data bytes")
    view = ctx.view()
    dataplane.policy_cluster(view)
    known = ip in view.cache["by-ip"] or ip == "127.0.0.1"
    got = count if known and dataplane.connect(view, ctx.pod, ip, 1).outcome is not Outcome.TIMEOUT else 0
    await ctx.wait(count if not got else count - 1)
    for n in range(got):
        io.print(f"64 bytes from {ip}: seq={n} ttl=63 time=0.{80 + n * 3:03d} ms")
    io.print(f"\n--- {rest[0]} ping statistics ---")
    io.print(f"{count} packets transmitted, {got} packets received, {0 if got else 100}% packet loss")
    if got:
        io.print("round-trip min/avg/max = 0.080/0.083/0.137 ms")
    return 0 if got else 1


async def ip(ctx: Context, args: list[str], io: Io) -> int:
    """``ip addr`` and ``ip route``."""
    address = dataplane.pod_ips(ctx.pod)[0]
    what = next((a for a in args if not a.startswith("-")), "")
    network = address.rpartition(".")[0]
    if what and "route".startswith(what):
        io.print(f"default via {network}.1 dev eth0 \n{network}.0/24 via {network}.1 dev eth0  src {address} ")
        io.print(f"{network}.1 dev eth0 scope link  src {address} ")
    elif what and "address".startswith(what):
        io.print("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000")
        io.print("    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo")
        io.print("       valid_lft forever preferred_lft forever")
        io.print("2: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1500 qdisc noqueue qlen 1000")
        io.print(f"    link/ether {_mac(address)} brd ff:ff:ff:ff:ff:ff")
        io.print(f"    inet {address}/24 brd {network}.255 scope global eth0")
        io.print("       valid_lft forever preferred_lft forever")
    else:
        io.complain(f"ip: '{what}' is not available in the simulated pod; address and route are")
        return 1
    return 0


def _mac(address: str) -> str:
    return "02:42:" + ":".join(f"{int(part):02x}" for part in address.split("."))


async def ifconfig(ctx: Context, args: list[str], io: Io) -> int:
    """The pod's interface."""
    address = dataplane.pod_ips(ctx.pod)[0]
    io.print(f"eth0      Link encap:Ethernet  HWaddr {_mac(address).upper()}  ")
    io.print(f"          inet addr:{address}  Bcast:{address.rpartition('.')[0]}.255  Mask:255.255.255.0")
    io.print("          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n")
    io.print("lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0")
    io.print("          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n")
    return 0


async def telnet(ctx: Context, args: list[str], io: Io) -> int:
    """``telnet HOST PORT``: sends standard input and prints the answer."""
    rest = [a for a in args if not a.startswith("-")]
    if not rest:
        io.complain(f"{_BOX}telnet [-a] [-l USER] HOST [PORT]")
        return 1
    address = await find(ctx, rest[0], "telnet", io)
    port = rest[1] if len(rest) > 1 else "23"
    if not address or not port.isdigit():
        return 1
    connection = dataplane.connect(ctx.view(), ctx.pod, address, int(port))
    if connection.outcome is not Outcome.OPEN:
        late = connection.outcome is Outcome.TIMEOUT
        await ctx.wait(_CONNECT_LIMIT_S if late else 0)
        reason = "Connection timed out" if late else "Connection refused"
        io.complain(f"telnet: can't connect to remote host ({address}): {reason}")
        return 1
    io.print(f"Connected to {rest[0]}")
    io.out(answers.stream(ctx, connection, await io.stdin.read()))
    io.complain("Connection closed by foreign host")
    return 1


TOOLS = {
    "nslookup": nslookup, "wget": wget, "nc": nc, "ping": ping, "ip": ip, "ifconfig": ifconfig, "telnet": telnet,
}  # fmt: skip
