"""``nslookup`` of busybox: its questions, its output and its exit codes, as recorded from the real program."""

from __future__ import annotations

import ipaddress

from tutor.kubesim import dns
from tutor.kubesim.dns import Answer, Result
from tutor.kubesim.shell.context import Context, Io

_WAIT_S = 5.0
_USAGE = "BusyBox v1.36.1 multi-call binary.\n\nUsage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]"
_KINDS = {"A": dns.A, "AAAA": dns.AAAA, "PTR": dns.PTR, "SRV": dns.SRV}
_OTHER_KINDS = ("SOA", "NS", "CNAME", "MX", "TXT", "ANY")

Question = tuple[str, int]


async def nslookup(ctx: Context, args: list[str], io: Io) -> int:
    """Names looked up at the pod's name server, or at the one named. A name with a dot in it is not completed."""
    kinds, rest = [], []
    for a in args:
        option, _, value = a.partition("=")
        if a.startswith("-") and option.lstrip("-") in ("type", "querytype", "q", "query"):
            if value.upper() not in _KINDS and value.upper() not in _OTHER_KINDS:
                io.complain(f'nslookup: invalid query type "{value}"')
                return 1
            kinds.append(_KINDS.get(value.upper(), 0))
        elif not a.startswith("-"):
            rest.append(a)
    if not rest or len(rest) > 2:
        io.complain(_USAGE)
        return 1
    shown = server = dns.SERVER
    if len(rest) == 2:
        found = dns.resolve(ctx.view(), ctx.pod, rest[1])
        if not found.addresses:
            await ctx.wait(dns.RESOLVER_LIMIT_S if found.result is Result.TIMEOUT else 0)
            io.complain(f"nslookup: bad address '{rest[1]}'")
            return 1
        shown, server = rest[1], found.addresses[0]
    questions = _questions(ctx, rest[0], kinds)
    answers = [(q, dns.ask(ctx.view(), ctx.pod, q[0], q[1], server=server)) for q in questions]
    silent = await _unanswered(ctx, answers, shown, io)
    if silent:
        io.print(";; connection timed out; no servers could be reached\n")
        return 1
    io.print(f"Server:\t\t{shown}\nAddress:\t{server}:53\n")
    for (name, kind), answer in answers:
        _print(name, kind, answer, io)
    return 1 if any(a.result is Result.NO_NAME for _, a in answers) else 0


def _questions(ctx: Context, host: str, kinds: list[int]) -> list[Question]:
    if not kinds:
        try:
            return [(ipaddress.ip_address(host).reverse_pointer, dns.PTR)]
        except ValueError:
            kinds = [dns.A, dns.AAAA]
    names = [host] if "." in host else [f"{host}.{domain}" for domain in dns.search_list(ctx.pod)]
    return [(name, kind) for kind in kinds for name in ([host] if kind == dns.PTR else names)]


async def _unanswered(ctx: Context, answers: list[tuple[Question, Answer]], server: str, io: Io) -> bool:
    """Whether nobody answered. A closed port shows at once when a second packet is sent, else while waiting."""
    results = {a.result for _, a in answers}
    if Result.TIMEOUT in results:
        await ctx.wait(_WAIT_S)
    elif Result.REFUSED in results and len(answers) > 1:
        io.complain(f"nslookup: write to '{server}': Connection refused")
    elif Result.REFUSED in results:
        io.complain("nslookup: read: Connection refused")
        await ctx.wait(_WAIT_S)
    return bool(results & {Result.TIMEOUT, Result.REFUSED})


def _print(name: str, kind: int, answer: Answer, io: Io) -> None:
    if answer.result is Result.NO_NAME:
        io.print(f"** server can't find {name}: NXDOMAIN")
    for value in answer.addresses:
        if kind == dns.PTR:
            io.print(f"{name}\tname = {value}")
        elif kind == dns.SRV:
            io.print(f"{name}\tservice = {value}")
        else:
            io.print(f"Name:\t{name}\nAddress: {value}")
    io.print("")
