"""Network tools, with the outputs and exit codes of busybox. Every packet goes through the data plane."""

from __future__ import annotations

import re
import struct
from urllib.parse import urlsplit

from tutor.kubesim import dataplane, dns
from tutor.kubesim.dataplane import Outcome
from tutor.kubesim.shell.context import Context, Io

_DNS_LIMIT_S = 10.0
_CONNECT_LIMIT_S = 127.0
_HTTP_LIMIT_S = 900.0


def _limit(ctx: Context, own: float) -> float:
    """How long a tool waits: its own limit, or that of a ``timeout`` around it."""
    around = ctx.env.get("_limit", "")
    return min(own, float(around)) if around.replace(".", "", 1).isdigit() else own


def _options(args: list[str], with_value: str) -> tuple[dict[str, str], list[str]]:
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
                    flags[letter] = "1"
        else:
            rest.append(a)
    return flags, rest


async def nslookup(ctx: Context, args: list[str], io: Io) -> int:
    """Names looked up at the pod's name server, or at the one named."""
    rest = [a for a in args if not a.startswith("-")]
    types = [a.partition("=")[2].upper() for a in args if a.startswith(("-type=", "-query=", "-q="))]
    if not rest:
        io.complain(
            "BusyBox v1.36.1 multi-call binary.\n\nUsage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]"
        )
        return 1
    server = dns.SERVER
    if len(rest) > 1:
        found = dns.resolve(ctx.view(), ctx.pod, rest[1])
        if not found.addresses:
            io.complain(f"nslookup: bad address '{rest[1]}'")
            return 1
        server = found.addresses[0]
    kinds = [{"A": dns.A, "AAAA": dns.AAAA, "PTR": dns.PTR, "SRV": dns.SRV}.get(t, dns.A) for t in types] or [
        dns.A,
        dns.AAAA,
    ]
    names = [rest[0]]
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", rest[0]):
        names, kinds = [".".join(reversed(rest[0].split("."))) + ".in-addr.arpa"], [dns.PTR]
    elif "." not in rest[0]:
        names = [f"{rest[0]}.{d}" for d in dns.search_list(ctx.pod)]
    answers = [(n, k, dns.ask(ctx.view(), ctx.pod, n, k, server=server)) for n in names for k in kinds]
    if any(a.result in (dns.Result.TIMEOUT, dns.Result.REFUSED) for _, _, a in answers):
        await ctx.wait(_limit(ctx, _DNS_LIMIT_S))
        io.print(";; connection timed out; no servers could be reached\n")
        return 1
    io.print(f"Server:\t\t{server}\nAddress:\t{server}:53\n")
    failed = 0
    for name, kind, answer in answers:
        if answer.result is dns.Result.NO_NAME:
            io.print(f"** server can't find {name}: NXDOMAIN\n")
            failed += 1
        elif kind == dns.PTR:
            io.print(f"{name}\tname = {answer.addresses[0]}")
        elif answer.addresses:
            io.print("".join(f"Name:\t{name}\nAddress: {ip}\n" for ip in answer.addresses))
        elif kind == dns.A:
            io.print(f"*** Can't find {name}: No answer\n")
        else:
            io.print("")
    return 1 if failed else 0


async def wget(ctx: Context, args: list[str], io: Io) -> int:
    """HTTP: ``-q -O FILE -T SECONDS -S --spider``."""
    flags, rest = _options(args, "OTUP")
    if not rest:
        io.complain("BusyBox v1.36.1 multi-call binary.\n\nUsage: wget [-cqS] [--spider] [-O FILE] [-T SEC] URL...")
        return 1
    url = rest[0] if "://" in rest[0] else f"http://{rest[0]}"
    parts = urlsplit(url)
    if parts.scheme != "http":
        io.complain(f"wget: not an http url: {rest[0]} (not available in the simulated pod)")
        return 1
    host, port, shown = parts.hostname or "", parts.port or 80, parts.netloc
    limit = _limit(ctx, float(flags.get("T") or flags.get("timeout") or _HTTP_LIMIT_S))
    answer = dns.resolve(ctx.view(), ctx.pod, host)
    if not answer.addresses:
        if answer.result is dns.Result.TIMEOUT:
            await ctx.wait(min(limit, _DNS_LIMIT_S))
        io.complain(f"wget: bad address '{shown}'")
        return 1
    ip = answer.addresses[0]
    quiet = "q" in flags
    if not quiet:
        io.complain(f"Connecting to {shown} ({ip}:{port})")
    connection = dataplane.connect(ctx.view(), ctx.pod, ip, port)
    if connection.outcome is Outcome.TIMEOUT:
        await ctx.wait(limit)
        io.complain(
            "wget: download timed out"
            if limit < _CONNECT_LIMIT_S
            else f"wget: can't connect to remote host ({ip}): Connection timed out"
        )
        return 1
    if connection.outcome is Outcome.REFUSED:
        io.complain(f"wget: can't connect to remote host ({ip}): Connection refused")
        return 1
    if connection.listener is None or connection.listener.page is None:
        await ctx.wait(limit)
        io.complain("wget: download timed out")
        return 1
    return _page(ctx, flags, io, f"{connection.listener.page}\n".encode(), quiet)


def _page(ctx: Context, flags: dict[str, str], io: Io, body: bytes, quiet: bool) -> int:
    if "S" in flags:
        io.complain("  HTTP/1.1 200 OK")
    if "spider" in flags:
        if not quiet:
            io.complain("remote file exists")
        return 0
    target = flags.get("O", "index.html")
    if target == "-":
        io.out(body)
        if not quiet:
            io.complain("writing to stdout\n-                    100% |********************************|    "
                        f"{len(body)}  0:00:00 ETA\nwritten to stdout")  # fmt: skip
    else:
        ctx.files[ctx.absolute(target)] = body
        if not quiet:
            io.complain(f"saving to '{target}'\n'{target}' saved")
    return 0


async def nc(ctx: Context, args: list[str], io: Io) -> int:
    """``nc [-w SECONDS] HOST PORT``: a TCP connection; standard input is sent, the answer printed."""
    flags, rest = _options(args, "wpife")
    if "l" in flags or "e" in flags:
        io.complain("nc: listening is not available in the simulated pod; containers listen by their arguments")
        return 1
    if len(rest) != 2 or not rest[1].isdigit():
        io.complain("BusyBox v1.36.1 multi-call binary.\n\nUsage: nc [-w SEC] IPADDR PORT")
        return 1
    if set(flags) & {"z", "u"}:
        letter = next(f for f in ("z", "u") if f in flags)
        io.complain(f"nc: invalid option -- '{letter}'")
        return 1
    host, port = rest[0], int(rest[1])
    limit = _limit(ctx, float(flags.get("w") or _CONNECT_LIMIT_S))
    answer = dns.resolve(ctx.view(), ctx.pod, host)
    if not answer.addresses:
        if answer.result is dns.Result.TIMEOUT:
            await ctx.wait(min(limit, _DNS_LIMIT_S))
        io.complain(f"nc: bad address '{host}'")
        return 1
    ip = answer.addresses[0]
    connection = dataplane.connect(ctx.view(), ctx.pod, ip, port)
    if connection.outcome is Outcome.TIMEOUT:
        await ctx.wait(limit)
        io.complain(
            "nc: timed out"
            if "w" in flags or "_limit" in ctx.env
            else f"nc: can't connect to remote host ({ip}): Connection timed out"
        )
        return 1
    if connection.outcome is Outcome.REFUSED:
        io.complain(f"nc: can't connect to remote host ({ip}): Connection refused")
        return 1
    io.out(_reply(ctx, connection, io.stdin))
    return 0


def _reply(ctx: Context, connection: dataplane.Connection, sent: bytes) -> bytes:
    """What a listener answers to raw bytes: DNS over TCP (two length bytes first, RFC 1035 4.2.2), a page, or nothing."""
    page = connection.listener.page if connection.listener else None
    target = connection.destination
    if (
        connection.port == 53
        and target is not None
        and any("coredns" in str(c.get("image")) for c in target["spec"]["containers"])
    ):
        if len(sent) < 2:
            return b""
        (size,) = struct.unpack_from("!H", sent)
        message = dns.answer_message(ctx.view(), sent[2 : 2 + size])
        return struct.pack("!H", len(message)) + message if message else b""
    if page is not None and sent.startswith((b"GET ", b"HEAD ")):
        body = f"{page}\n".encode()
        return (
            b"HTTP/1.0 200 OK\r\nContent-type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
            + body
        )
    return b""


async def ping(ctx: Context, args: list[str], io: Io) -> int:
    """``-c N -W N``. Policies speak of TCP, UDP and SCTP; here a ping passes where some TCP port would."""
    flags, rest = _options(args, "cWwis")
    if not rest:
        io.complain("BusyBox v1.36.1 multi-call binary.\n\nUsage: ping [OPTIONS] HOST")
        return 1
    answer = dns.resolve(ctx.view(), ctx.pod, rest[0])
    if not answer.addresses:
        io.complain(f"ping: bad address '{rest[0]}'")
        return 1
    ip = answer.addresses[0]
    count = min(int(flags.get("c") or 4), 20)
    io.print(f"PING {rest[0]} ({ip}): 56 data bytes")
    view = ctx.view()
    dataplane.policy_cluster(view)
    target = view.cache["by-ip"].get(ip)
    got = 0
    if target is not None and any(
        dataplane.connect(view, ctx.pod, ip, port).outcome is not Outcome.TIMEOUT for port in (1, 80, 443, 8080)
    ):
        got = count
        for n in range(count):
            io.print(f"64 bytes from {ip}: seq={n} ttl=63 time=0.{80 + n * 3:03d} ms")
    else:
        await ctx.wait(count)
    loss = 0 if got else 100
    io.print(
        f"\n--- {rest[0]} ping statistics ---\n{count} packets transmitted, {got} packets received, {loss}% packet loss"
    )
    if got:
        io.print("round-trip min/avg/max = 0.080/0.083/0.086 ms")
    return 0 if got else 1


async def ip(ctx: Context, args: list[str], io: Io) -> int:
    """``ip addr`` and ``ip route``."""
    address = dataplane.pod_ips(ctx.pod)[0]
    what = next((a for a in args if not a.startswith("-")), "")
    if what.startswith("r"):
        gateway = address.rpartition(".")[0] + ".1"
        io.print(f"default via {gateway} dev eth0\n{gateway} dev eth0 scope link src {address}")
    elif what.startswith("a"):
        io.print("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    inet 127.0.0.1/8 scope host lo")
        io.print(
            f"2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue\n    inet {address}/24 scope global eth0"
        )
    else:
        io.complain(f"ip: '{what}' is not available in the simulated pod")
        return 1
    return 0


async def ifconfig(ctx: Context, args: list[str], io: Io) -> int:
    """The pod's interface."""
    address = dataplane.pod_ips(ctx.pod)[0]
    io.print(
        f"eth0      Link encap:Ethernet  HWaddr 02:42:0A:F4:00:02\n          inet addr:{address}  Mask:255.255.255.0"
    )
    return 0


async def telnet(ctx: Context, args: list[str], io: Io) -> int:
    """``telnet HOST PORT``: connects and closes."""
    rest = [a for a in args if not a.startswith("-")]
    code = await nc(ctx, ["-w", "5", *rest], Io(b"", io.out, lambda _b: None))
    io.print(f"Connected to {rest[0]}" if code == 0 and rest else "telnet: can't connect to remote host")
    return code


TOOLS = {
    "nslookup": nslookup, "wget": wget, "nc": nc, "ping": ping, "ip": ip, "ifconfig": ifconfig, "telnet": telnet,
}  # fmt: skip
