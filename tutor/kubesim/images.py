"""What a container does, told from its image, command and arguments: what it listens on, whom it calls, whether it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

WORKLOAD_SCRIPT = "/kubetutor/workload.sh"
"""The lab workload: a script whose arguments are declarative, so that the simulator needs no shell to know what it does."""

_FOREVER = re.compile(r"\b(sleep|httpd|nc|tail -f|while|until|wait|top)\b")


@dataclass(frozen=True)
class Listener:
    """A port somebody answers on. ``page`` is what HTTP clients get; None: plain bytes."""

    port: int
    protocol: str = "TCP"
    page: str | None = None


@dataclass(frozen=True)
class Call:
    """A call the workload repeats. ``url``: ``http://host[:port]/path`` or ``tcp://host:port``."""

    name: str
    url: str


@dataclass(frozen=True)
class Process:
    """A container's main process, as far as the network and the logs are concerned."""

    image: str
    tools: str
    """Which set of programs ``exec`` finds: ``busybox``, ``agnhost``, ``none``."""
    argv: tuple[str, ...]
    listeners: tuple[Listener, ...] = ()
    calls: tuple[Call, ...] = ()
    every: int = 5
    banner: tuple[str, ...] = field(default=())
    """Lines it logs when it starts."""
    scripted: bool = False


def number(text: str, most: int = 65535) -> int | None:
    """A whole number from 1, or None: what a person wrote into a manifest may be anything."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= most else None


def target(url: str) -> tuple[str, int, str] | None:
    """(host, port, path) of a call; None when it is no ``http://`` or ``tcp://`` address."""
    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme == "http" else None)
    except ValueError:
        return None
    if parts.scheme not in ("http", "tcp") or not parts.hostname or port is None:
        return None
    return parts.hostname, port, parts.path


def has_page(path: str) -> bool:
    """Whether the simulated listeners have a page at this path; they have one, at the top."""
    return path.partition("?")[0] in ("", "/", "/index.html")


def repository(image: str) -> str:
    """``busybox`` of ``docker.io/library/busybox:1.36@sha256:…``."""
    name = image.partition("@")[0]
    head, _, last = name.rpartition("/")
    del head
    return last.partition(":")[0]


def process(container: Mapping[str, Any]) -> Process:
    """What this container runs."""
    image = str(container.get("image") or "")
    command = [str(a) for a in container.get("command") or []]
    args = [str(a) for a in container.get("args") or []]
    argv = tuple(command + args)
    name = repository(image)
    if name == "busybox" or name == "alpine":
        return _busybox(image, argv or ("sh",))
    if name == "coredns":
        ports = (
            Listener(53, "UDP"),
            Listener(53, "TCP"),
            Listener(9153, "TCP", "# metrics"),
            Listener(8080),
            Listener(8181),
        )
        return Process(image, "none", argv, ports, banner=(".:53", "CoreDNS-1.12.1", "linux/amd64, go1.24.1, 707c7c1"))
    if name in ("nginx", "httpd", "hello-app"):
        return Process(image, "none", argv, (Listener(80, "TCP", f"Welcome to {name}!"),))
    if name == "agnhost":
        return _agnhost(image, argv)
    return Process(image, "none", argv)


def _busybox(image: str, argv: tuple[str, ...]) -> Process:
    if WORKLOAD_SCRIPT in argv:
        return _workload(image, argv, argv[argv.index(WORKLOAD_SCRIPT) + 1 :])
    script = argv[2] if argv[:2] in (("sh", "-c"), ("/bin/sh", "-c")) and len(argv) > 2 else " ".join(argv)
    listeners = []
    for match in re.finditer(r"\b(httpd|nc)\b([^;&|]*)", script):
        written = re.search(r"-\w*p\s*(?:[0-9.]+:)?(\d+)", match[2])
        port = number(written[1]) if written else 80 if match[1] == "httpd" else None
        if port and (match[1] == "httpd" or "-l" in match[2]):
            listeners.append(Listener(port, "TCP", "" if match[1] == "httpd" else None))
    return Process(image, "busybox", argv, tuple(listeners))


def _workload(image: str, argv: tuple[str, ...], words: tuple[str, ...]) -> Process:
    """``listen=8080/TCP:page``, ``call=name=url``, ``every=seconds``."""
    listeners, calls, every = [], [], 5
    for word in words:
        key, _, value = word.partition("=")
        if key == "listen":
            where, _, page = value.partition(":")
            port = number(where.partition("/")[0])
            if port:  # the script runs httpd, which speaks TCP, and complains about anything that is no port
                listeners.append(Listener(port, "TCP", page))
        elif key == "call":
            name, _, url = value.partition("=")
            calls.append(Call(name, url))
        elif key == "every":
            every = number(value, 86_400) or every
    banner = ("start " + " ".join(words)).strip()
    return Process(image, "busybox", argv, tuple(listeners), tuple(calls), every, (banner,), scripted=True)


def _agnhost(image: str, argv: tuple[str, ...]) -> Process:
    mode = argv[0] if argv else "pause"
    port = next((number(a.rpartition("=")[2]) for a in argv if a.startswith(("--http-port=", "--port="))), None)
    if mode == "netexec":
        return Process(image, "agnhost", argv, (Listener(port or 8080, "TCP", "NOW"), Listener(8081, "UDP")))
    if mode == "serve-hostname":
        return Process(image, "agnhost", argv, (Listener(port or 9376, "TCP", "hostname"),))
    return Process(image, "agnhost", argv)


def exit_code(container: Mapping[str, Any]) -> int | None:
    """The code its main process ends with at once, or None when it keeps running."""
    p = process(container)
    if p.tools != "busybox" or p.scripted:
        return None
    if container.get("stdin"):
        return None
    text = " ".join(p.argv)
    if _FOREVER.search(text):
        return None
    code = re.search(r"\bexit (\d{1,6})", text)
    if code:
        return int(code[1]) % 256
    return 1 if p.argv[:1] == ("false",) else 0


def of_pod(pod: Mapping[str, Any]) -> tuple[Process, ...]:
    """Every container's process, in order."""
    return tuple(process(c) for c in pod["spec"].get("containers") or [])
