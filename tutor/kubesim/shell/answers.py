"""What the listeners of simulated pods answer to bytes: HTTP as busybox's httpd does, and the name server."""

from __future__ import annotations

import struct

from tutor.kubesim import dns, images
from tutor.kubesim.dataplane import Connection
from tutor.kubesim.shell.context import Context


def page(ctx: Context, connection: Connection, path: str) -> tuple[list[str], bytes]:
    """The head's lines and the body of an answer to GET."""
    word = connection.listener.page if connection.listener else ""
    found = images.has_page(path)
    body = f"{word}\n".encode() if word else b""
    if not found:
        body = b"<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n<BODY><H1>404 Not Found</H1>\nThe requested URL was not found\n</BODY></HTML>\n"
    now = ctx.clock().strftime("%a, %d %b %Y %H:%M:%S GMT")
    head = [f"HTTP/1.1 {'200 OK' if found else '404 Not Found'}", f"Date: {now}", "Connection: close"]
    head += ["Content-type: text/html"]
    return [*head, "Accept-Ranges: bytes", f"Content-Length: {len(body)}"] if found else head, body


def stream(ctx: Context, connection: Connection, sent: bytes) -> bytes:
    """What a TCP listener answers: DNS (RFC 1035, 4.2.2: a length before each message), HTTP, or nothing."""
    if dns.serves(connection.destination) and connection.port == 53:
        return _dns_messages(ctx, sent)
    if connection.listener is None or connection.listener.page is None:
        return b""
    words = sent.split(b"\n", 1)[0].split()
    if not words:
        return b""
    if words[0] not in (b"GET", b"HEAD") or len(words) < 2:
        return b"HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n"
    head, body = page(ctx, connection, words[1].decode(errors="replace"))
    return "\r\n".join([*head, "", ""]).encode() + (body if words[0] == b"GET" else b"")


def _dns_messages(ctx: Context, sent: bytes) -> bytes:
    out = b""
    while len(sent) >= 2:
        (size,) = struct.unpack_from("!H", sent)
        message, sent = sent[2 : 2 + size], sent[2 + size :]
        if len(message) < size and not out and len(message) < 12:
            return out
        answer = dns.answer_message(ctx.view(), message)
        out += struct.pack("!H", len(answer)) + answer if answer else b""
    return out


def datagram(ctx: Context, connection: Connection, sent: bytes) -> bytes:
    """What a UDP listener answers."""
    if dns.serves(connection.destination) and connection.port == 53:
        return dns.answer_message(ctx.view(), sent)
    return b""
