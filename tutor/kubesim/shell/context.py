"""What a running command of the simulated pod sees: its pod, environment, files, time, and its streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tutor.kubesim import dns
from tutor.kubesim.images import Process, process
from tutor.kubesim.view import Object, View

MAX_OUTPUT = 4 * 1024 * 1024
MAX_STEPS = 20_000
MAX_SLEEP_S = 5.0


class Stop(Exception):
    """The command ends with this code (``exit``, a limit, a signal)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Exit(Stop):
    """``exit``: ends the shell or the subshell it is written in."""


class Expired(Exception):
    """The time that a ``timeout`` around the command allows is over."""


class Input:
    """A standard input: bytes at hand, and more that may come later. What one command reads, the next does not see."""

    def __init__(self, data: bytes = b"", more: AsyncIterator[bytes] | None = None) -> None:
        self._data, self._more = data, more

    async def _fetch(self) -> bool:
        chunk = None if self._more is None else await anext(self._more, None)
        if chunk is None or len(self._data) > MAX_OUTPUT:
            self._more = None
            return False
        self._data += chunk
        return True

    async def read(self) -> bytes:
        """Everything up to the end."""
        while await self._fetch():
            continue
        data, self._data = self._data, b""
        return data

    async def line(self) -> bytes | None:
        """The next line with its newline, or None at the end."""
        while b"\n" not in self._data and await self._fetch():
            continue
        line, newline, self._data = self._data.partition(b"\n")
        return line + newline if line or newline else None


@dataclass
class Io:
    """The three streams of one command. Output is collected; the edge sends it on."""

    stdin: Input = field(default_factory=Input)
    out: Callable[[bytes], None] = lambda _b: None
    err: Callable[[bytes], None] = lambda _b: None

    def print(self, text: str) -> None:
        """A line on standard output."""
        self.out(text.encode() + b"\n")

    def complain(self, text: str) -> None:
        """A line on standard error."""
        self.err(text.encode() + b"\n")


@dataclass
class Context:
    """One exec session in one container."""

    view: Callable[[], View]
    namespace: str
    pod_name: str
    container: Object
    clock: Callable[[], datetime]
    scale: float
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    cwd: str = "/"
    complaints: Callable[[bytes], None] = lambda _b: None
    """Where the session's standard error goes, for what runs inside ``$(…)``."""
    last_code: int = 0
    steps: int = 0
    substituted: int = 0
    """The exit code of the last ``$(…)``, which is that of a line of assignments only."""
    elapsed: float = 0.0
    """Seconds that would have passed in a real pod."""
    budget: float | None = None
    """Seconds left to the command under a ``timeout``."""

    jobs: list[asyncio.Task[int]] = field(default_factory=list)
    """Commands that run in the background (``&``)."""
    spawned: list[asyncio.Task[int]] = field(default_factory=list)
    """The same of the whole session, subshells included."""

    def subshell(self) -> Context:
        """A context of its own for a background command; files are shared, variables are copied."""
        return replace(self, env=dict(self.env), jobs=[])

    @property
    def pod(self) -> Object:
        """The pod as it is now.

        :raises Stop: it was deleted meanwhile; its processes were killed with it.
        """
        pod = self.view().get("pods", self.namespace, self.pod_name)
        if pod is None:
            raise Stop(137)
        return pod

    @property
    def process(self) -> Process:
        """What the container runs."""
        return process(self.container)

    def step(self) -> None:
        """Count a command, so that an endless loop ends."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            self.complaints(f"sh: killed: a simulated pod runs at most {MAX_STEPS} commands for one line\n".encode())
            raise Stop(137)

    async def wait(self, seconds: float) -> None:
        """Let real tools' waiting time pass, shortened by the cluster's scale.

        :raises Expired: the ``timeout`` around the command ends it first.
        """
        over = self.budget is not None and seconds >= self.budget
        seconds = min(seconds, self.budget) if self.budget is not None else seconds
        self.elapsed += seconds
        if self.budget is not None:
            self.budget -= seconds
        await self.sleep(min(seconds * self.scale, MAX_SLEEP_S))
        if over:
            raise Expired

    def read(self, path: str) -> bytes | None:
        """A file's content, or None."""
        path = self.absolute(path)
        if path in self.files:
            return self.files[path]
        if path == "/dev/null":
            return b""
        pod = self.pod
        ip = (pod.get("status") or {}).get("podIP", "")
        known = {
            "/etc/resolv.conf": dns.resolv_conf(pod),
            "/etc/hostname": f"{self.pod_name}\n",
            "/etc/hosts": f"# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n{ip}\t{self.pod_name}\n",
            "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
            "/var/run/secrets/kubernetes.io/serviceaccount/namespace": self.namespace,
        }
        if path in known:
            return known[path].encode()
        return self._mounted(path)

    def _mounted(self, path: str) -> bytes | None:
        """A key of a ConfigMap that is mounted as a volume."""
        volumes: dict[str, Any] = {v["name"]: v for v in self.pod["spec"].get("volumes") or []}
        for mount in self.container.get("volumeMounts") or []:
            directory = mount["mountPath"].rstrip("/") + "/"
            source = (volumes.get(mount["name"]) or {}).get("configMap")
            if source and path.startswith(directory):
                config = self.view().get("configmaps", self.namespace, source["name"]) or {}
                data: dict[str, str] = config.get("data") or {}
                text = data.get(path.removeprefix(directory))
                return text.encode() if text is not None else None
        return None

    def absolute(self, path: str) -> str:
        """A path from the working directory."""
        return path if path.startswith("/") else f"{self.cwd.rstrip('/')}/{path}"
