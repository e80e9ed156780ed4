"""Names as a pod resolves them: every query is traffic to the cluster's DNS service, and policy judges it like any other.

The records themselves are in :mod:`tutor.kubesim.zone`.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from enum import StrEnum

from tutor.kubesim import images
from tutor.kubesim.dataplane import Outcome, connect, pod_ips
from tutor.kubesim.view import Object, View
from tutor.kubesim.zone import AAAA, DOMAIN, PTR, SOA, SRV, A, records

__all__ = [
    "AAAA",
    "DOMAIN",
    "PTR",
    "SERVER",
    "SRV",
    "A",
    "Answer",
    "Result",
    "answer_message",
    "ask",
    "records",
    "resolve",
]

SERVER = "10.96.0.10"
RESOLVER_LIMIT_S = 20.0
"""How long a C library waits for a name server that does not answer (two tries of five seconds, twice), as measured."""
_NOERROR, _FORMERR, _NXDOMAIN, _NOTIMP = 0, 1, 3, 4


class Result(StrEnum):
    """How a lookup ends."""

    FOUND = "found"
    NO_NAME = "nxdomain"
    NO_DATA = "nodata"
    TIMEOUT = "timeout"
    REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """A lookup's end: the full name that was found and its addresses."""

    result: Result
    name: str = ""
    addresses: tuple[str, ...] = ()


def search_list(pod: Object) -> tuple[str, ...]:
    """The search domains in the pod's resolv.conf."""
    return (f"{pod['metadata']['namespace']}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN)


def resolv_conf(pod: Object) -> str:
    """The pod's /etc/resolv.conf."""
    return f"search {' '.join(search_list(pod))}\nnameserver {SERVER}\noptions ndots:5\n"


def ask(view: View, pod: Object, name: str, kind: int = A, *, server: str = SERVER, protocol: str = "UDP") -> Answer:
    """One query for one full name, sent from a pod."""
    connection = connect(view, pod, server, 53, protocol)
    if connection.outcome is Outcome.TIMEOUT:
        return Answer(Result.TIMEOUT)
    if connection.outcome is Outcome.REFUSED or not serves(connection.destination):
        # A closed UDP port answers with an ICMP error: resolvers count it as refused and go on waiting for others.
        return Answer(Result.REFUSED)
    found = records(view, name, kind)
    if found is None:
        return Answer(Result.NO_NAME)
    return Answer(Result.FOUND, name.rstrip("."), found) if found else Answer(Result.NO_DATA, name.rstrip("."))


def serves(pod: Object | None) -> bool:
    """Whether a pod is a name server."""
    return pod is not None and any(
        images.repository(str(c.get("image"))) == "coredns" for c in pod["spec"].get("containers") or []
    )


def resolve(view: View, pod: Object, host: str) -> Answer:
    """A host name as a program of the pod resolves it: addresses as they are, /etc/hosts, then the search list (ndots:5)."""
    try:
        return Answer(Result.FOUND, host, (str(ipaddress.ip_address(host)),))
    except ValueError:
        bare = host.rstrip(".")
    if bare == "localhost":
        return Answer(Result.FOUND, "localhost", ("127.0.0.1",))
    if bare == pod["metadata"]["name"]:
        return Answer(Result.FOUND, bare, pod_ips(pod))
    names = [bare] if host.endswith(".") else [*(f"{bare}.{d}" for d in search_list(pod)), bare]
    if bare.count(".") >= 5 and not host.endswith("."):
        names = [bare, *names[:-1]]
    for name in names:
        answer = ask(view, pod, name)
        if answer.result in (Result.FOUND, Result.TIMEOUT, Result.REFUSED):
            return answer
    return Answer(Result.NO_NAME)


# -- the wire format (RFC 1035) -------------------------------------------------------------------------


def answer_message(view: View, query: bytes) -> bytes:
    """The DNS server's answer to a raw query; a malformed one gets FORMERR, less than a header nothing."""
    if len(query) < 12:
        return b""
    ident, flags, questions = struct.unpack_from("!HHH", query)
    recursion = flags & 0x0100
    try:
        name, end = _read_name(query, 12)
        kind, _klass = struct.unpack_from("!HH", query, end)
    except (IndexError, struct.error, UnicodeDecodeError):
        return struct.pack("!HHHHHH", ident, 0x8000 | recursion | _FORMERR, 0, 0, 0, 0)
    if questions != 1 or flags & 0x7800:
        return struct.pack("!HHHHHH", ident, 0x8000 | recursion | _NOTIMP, 0, 0, 0, 0)
    found = records(view, name, kind)
    code = _NXDOMAIN if found is None else _NOERROR
    body = b"".join(_record(name, kind, _data(kind, value), 30) for value in found or ())
    authority = b"" if found else _record(DOMAIN, SOA, _soa(view), 30)
    counts = (1, len(found or ()), int(bool(authority)), 0)
    return struct.pack("!HHHHHH", ident, 0x8400 | recursion | code, *counts) + query[12 : end + 4] + body + authority


def _record(name: str, kind: int, data: bytes, ttl_s: int) -> bytes:
    return _name(name) + struct.pack("!HHIH", kind, 1, ttl_s, len(data)) + data


def _data(kind: int, value: str) -> bytes:
    if kind == PTR:
        return _name(value)
    if kind == SRV:
        priority, weight, port, target = value.split()
        return struct.pack("!HHH", int(priority), int(weight), int(port)) + _name(target)
    return ipaddress.ip_address(value).packed


def _soa(view: View) -> bytes:
    serial = int(view.at.timestamp()) & 0xFFFFFFFF
    head = _name(f"ns.dns.{DOMAIN}") + _name(f"hostmaster.{DOMAIN}")
    return head + struct.pack("!IIIII", serial, 7200, 1800, 86400, 30)


def _name(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while message[at]:
        size = message[at]
        if size > 63:
            raise IndexError("a compressed name in a question")
        labels.append(message[at + 1 : at + 1 + size].decode("ascii"))
        at += size + 1
    return ".".join(labels), at + 1
