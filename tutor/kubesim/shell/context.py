"""What a running command of the simulated pod sees: its pod, environment, files, time, and its streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
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


@dataclass
class Io:
    """The three streams of one command. Output is collected; the edge sends it on."""

    stdin: bytes = b""
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
    last_code: int = 0
    steps: int = 0

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
            raise Stop(137)

    async def wait(self, seconds: float) -> None:
        """Let real tools' waiting time pass, shortened by the cluster's scale."""
        await self.sleep(min(seconds * self.scale, MAX_SLEEP_S))

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
