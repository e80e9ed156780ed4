"""Prints every speed goal beside what was measured now. Numbers of one machine mean little: read the ratios."""

from __future__ import annotations

import http.client
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.needs import kind_ready
from tests.servers import RunningServer, environment, free_port, running

ROUNDS = 300
LABS = 20
_BARE = """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def view():
    return "<!doctype html><title>bare</title><p>bare"
"""


def row(what: str, measured: str, goal: str, good: bool | None) -> None:
    """One line of the report."""
    mark = {True: "yes", False: "NO", None: "-"}[good]
    print(f"{what:<46} {measured:<44} goal {goal:<18} met: {mark}", flush=True)


@contextmanager
def bare_flask(directory: Path) -> Iterator[int]:
    """The rival of the lesson page: one Flask view on the same server with the same settings."""
    (directory / "bare.py").write_text(_BARE)
    port = free_port()
    argv = [sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", "1", "--threads", "16", "-b", f"127.0.0.1:{port}"]
    argv += ["--log-level", "error", "bare:app"]
    process = subprocess.Popen(argv, cwd=directory, env=environment(directory))
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                get(port, "/")
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def get(port: int, path: str, connection: http.client.HTTPConnection | None = None) -> bytes:
    """One GET over a connection that is kept."""
    c = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request("GET", path)
    response = c.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status}")
    return body


def timed(action: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def lesson_page(server: RunningServer, bare_port: int) -> None:
    """Interleaved, so that a drifting machine touches both alike."""
    ours = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    theirs = http.client.HTTPConnection("127.0.0.1", bare_port, timeout=10)
    path = "/lessons/zero-trust-networkpolicy"
    for _ in range(30):
        get(server.port, path, ours), get(bare_port, "/", theirs)
    a, b = [], []
    for _ in range(ROUNDS):
        a.append(timed(lambda: get(server.port, path, ours)))
        b.append(timed(lambda: get(bare_port, "/", theirs)))
    ratio = statistics.median(a) / statistics.median(b)
    text = f"{ratio:.2f}x ({statistics.median(a):.2f} ms / {statistics.median(b):.2f} ms)"
    row("lesson page / bare Flask view, same server", text, "<= 2x", ratio <= 2)


def resident_mb(pid: int) -> float:
    """Proportional memory of a process and its children, MB."""
    total = 0
    pids = [pid]
    while pids:
        p = pids.pop()
        total += sum(
            int(line.split()[1])
            for line in Path(f"/proc/{p}/smaps_rollup").read_text().splitlines()
            if line.startswith("Pss:")
        )
        pids += [int(c) for c in Path(f"/proc/{p}/task/{p}/children").read_text().split()]
    return total / 1024


def labs(server: RunningServer) -> float:
    """Lab ready from an idle server, stage check, memory of each open lab. Returns the median start in ms."""
    from tests.bench.labs import measure

    result = measure(server, LABS, lambda: resident_mb(server.process.pid))
    ready = statistics.median(result.ready_ms)
    row(
        "simulated lab ready, from an idle server",
        f"{ready:.0f} ms (median of {len(result.ready_ms)})",
        "<= 50 ms",
        ready <= 50,
    )
    check = statistics.median(result.check_ms)
    row("stage check, simulated", f"{check:.0f} ms (median of {len(result.check_ms)})", "<= 150 ms", check <= 150)
    row("memory of each open lab", f"{result.memory_mb:.2f} MiB (mean of {LABS})", "<= 2 MiB", result.memory_mb <= 2)
    return ready


def kind_create(ready_ms: float) -> None:
    """The rival of the simulated lab: a real cluster in the same run."""
    import os

    if not kind_ready():
        row("kind create cluster / simulated lab ready", "left out: no kind or container engine", "-", None)
        return
    image = os.environ.get("KUBETUTOR_KIND_IMAGE", "")
    name = "kubetutor-bench"
    with tempfile.TemporaryDirectory() as d:
        argv = ["kind", "create", "cluster", "--name", name, "--wait", "120s", "--kubeconfig", f"{d}/kubeconfig"]
        argv += ["--image", image] if image else []
        try:
            ms = timed(lambda: subprocess.run(argv, check=True, capture_output=True))
            row(
                "kind create cluster / simulated lab ready",
                f"{ms / ready_ms:.0f}x ({ms / 1000:.1f} s / {ready_ms:.0f} ms)",
                "-",
                None,
            )
        finally:
            subprocess.run(["kind", "delete", "cluster", "--name", name], capture_output=True, check=False)


def start() -> None:
    """Server start, from the command to 'ready', on fresh data (median of 3)."""
    seconds = []
    for _ in range(3):
        directory = Path(tempfile.mkdtemp())
        began = time.perf_counter()
        with running(directory):
            seconds.append(time.perf_counter() - began)
        shutil.rmtree(directory)
    median = statistics.median(seconds)
    row("server start, fresh data", f"{median:.2f} s (median of 3)", "<= 2 s", median <= 2)


def main() -> None:
    """Run everything."""
    start()
    with tempfile.TemporaryDirectory() as d, running(Path(d) / "data") as server, bare_flask(Path(d)) as bare_port:
        lesson_page(server, bare_port)
        ready = labs(server)
    kind_create(ready)


main()
