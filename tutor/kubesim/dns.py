"""Names as a pod resolves them: every query is traffic to the cluster's DNS service, and policy judges it like any other.

Records follow the Kubernetes DNS specification (services, headless services, pods by address) for ``cluster.local``.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from enum import StrEnum

from tutor.kubesim.dataplane import Outcome, connect, is_up, pod_ips
from tutor.kubesim.view import Object, View

DOMAIN = "cluster.local"
SERVER = "10.96.0.10"
A, PTR, AAAA, SRV = 1, 12, 28, 33
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


def records(view: View, name: str, kind: int = A) -> tuple[str, ...] | None:
    """What the cluster's zone holds for a full name; None: no such name (or not in the zone)."""
    name = name.rstrip(".").lower()
    if name.endswith(".in-addr.arpa"):
        return _reverse(view, name)
    if not name.endswith(f".{DOMAIN}"):
        return None
    labels = name.removesuffix(f".{DOMAIN}").split(".")
    found = _addresses(view, labels)
    if found is None:
        return None
    return (
        tuple(ip for ip in found if ipaddress.ip_address(ip).version == (6 if kind == AAAA else 4))
        if kind in (A, AAAA)
        else ()
    )


def _addresses(view: View, labels: list[str]) -> tuple[str, ...] | None:
    match labels:
        case [dashed, namespace, "pod"]:
            ip = dashed.replace("-", ".")
            return (ip,) if view.get("namespaces", "", namespace) and ip.count(".") == 3 else None
        case [name, namespace, "svc"]:
            service = view.get("services", namespace, name)
            if service is None:
                return None
            ip = service["spec"].get("clusterIP")
            return _headless(view, service) if ip == "None" else (ip,) if ip else ()
    return None


def _headless(view: View, service: Object) -> tuple[str, ...]:
    name = service["metadata"]["name"]
    return tuple(
        address
        for s in view.list("endpointslices", service["metadata"]["namespace"])
        if (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name
        for e in s.get("endpoints") or []
        if (e.get("conditions") or {}).get("ready", True)
        for address in e["addresses"]
    )


def _reverse(view: View, name: str) -> tuple[str, ...] | None:
    ip = ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
    for s in view.list("services"):
        if s["spec"].get("clusterIP") == ip:
            return (f"{s['metadata']['name']}.{s['metadata']['namespace']}.svc.{DOMAIN}",)
    for p in view.list("pods"):
        if is_up(p) and ip in pod_ips(p):
            return (f"{ip.replace('.', '-')}.{p['metadata']['namespace']}.pod.{DOMAIN}",)
    return None


def ask(view: View, pod: Object, name: str, kind: int = A, *, server: str = SERVER, protocol: str = "UDP") -> Answer:
    """One query for one full name, sent from a pod."""
    connection = connect(view, pod, server, 53, protocol)
    if connection.outcome is Outcome.TIMEOUT:
        return Answer(Result.TIMEOUT)
    if connection.outcome is Outcome.REFUSED or not _is_dns(connection.destination):
        # A closed UDP port answers with an ICMP error: resolvers count it as refused and go on waiting for others.
        return Answer(Result.REFUSED)
    found = records(view, name, kind)
    if found is None:
        return Answer(Result.NO_NAME)
    return Answer(Result.FOUND, name.rstrip("."), found) if found else Answer(Result.NO_DATA, name.rstrip("."))


def _is_dns(pod: Object | None) -> bool:
    from tutor.kubesim.images import repository

    return pod is not None and any(repository(str(c.get("image"))) == "coredns" for c in pod["spec"]["containers"])


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
    """The DNS server's answer to a raw query; a malformed one gets FORMERR."""
    if len(query) < 12:
        return b""
    ident, flags, questions = struct.unpack_from("!HHH", query)
    try:
        name, end = _read_name(query, 12)
        kind, _klass = struct.unpack_from("!HH", query, end)
    except (IndexError, struct.error, UnicodeDecodeError):
        return struct.pack("!HHHHHH", ident, 0x8000 | _FORMERR, 0, 0, 0, 0)
    question = query[12 : end + 4]
    if questions != 1 or flags & 0x7800:
        return struct.pack("!HHHHHH", ident, 0x8000 | _NOTIMP, 0, 0, 0, 0)
    found = records(view, name, kind)
    code = _NXDOMAIN if found is None else _NOERROR
    body = b"".join(_record(kind, value) for value in found or ())
    recursion = flags & 0x0100
    head = struct.pack(
        "!HHHHHH", ident, 0x8400 | recursion | (0x0080 if recursion else 0) | code, 1, len(found or ()), 0, 0
    )
    return head + question + body


def _record(kind: int, value: str) -> bytes:
    data = _name(value) if kind == PTR else ipaddress.ip_address(value).packed
    return struct.pack("!HHHIH", 0xC00C, kind, 1, 30, len(data)) + data


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while message[at]:
        size = message[at]
        if size > 63:
            raise IndexError("a compressed name in a question")
        labels.append(message[at + 1 : at + 1 + size].decode("ascii"))
        at += size + 1
    return ".".join(labels), at + 1
