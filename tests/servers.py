"""Kubetutor started as a user starts it: ``kubetutor serve`` in a process of its own, on free loopback ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

READY_LIMIT_S = 90


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class RunningServer:
    """One running ``kubetutor serve``."""

    process: subprocess.Popen[str]
    port: int
    api_port: int
    data_dir: Path
    env: dict[str, str]
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cli(self, *args: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run another ``kubetutor`` command on the same data."""
        return subprocess.run(
            [sys.executable, "-m", "tutor.cli", *args],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """The environment of a fresh user: nothing of Kubetutor's own is inherited."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("KUBETUTOR_")}
    return env | {"KUBETUTOR_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"} | more


@contextmanager
def running(data_dir: Path, *, stop: int = signal.SIGTERM, **more: str) -> Iterator[RunningServer]:
    """Start the server, wait until it says that it is ready, and end it (by ``stop``) afterwards."""
    port, api_port = free_port(), free_port()
    env = environment(data_dir, KUBETUTOR_PORT=str(port), KUBETUTOR_API_PORT=str(api_port), **more)
    process = subprocess.Popen(
        [sys.executable, "-m", "tutor.cli", "serve"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    server = RunningServer(process, port, api_port, data_dir, env)
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            server.log.append(line)
            if "is ready at" in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert ready.wait(READY_LIMIT_S), "".join(server.log)
        assert process.poll() is None, "".join(server.log)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.join(5)
        if process.stdout is not None:
            process.stdout.close()
