"""A server of simulated clusters for as long as a command needs one: a process of its own, over a temporary directory."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from tutor.clusters.registry import sim_keys
from tutor.clusters.simulated import SimulatedProvider
from tutor.errors import Unavailable

_START_S = 30.0
_LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as s:
        s.bind((_LOOPBACK, 0))
        return int(s.getsockname()[1])


@contextmanager
def simulated(timeout_scale: float, port: int = 0) -> Iterator[SimulatedProvider]:
    """A provider of simulated clusters that are gone afterwards.

    :param timeout_scale: the part of a real network time-out that simulated pods wait.
    :param port: the port of its API; any free one when 0.
    :raises Unavailable: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="kubetutor-") as name:
        directory = Path(name)
        chosen = port or free_port()
        context = multiprocessing.get_context("spawn")
        ready: Event = context.Event()
        process = context.Process(target=_serve, args=(directory, chosen, timeout_scale, ready), daemon=True)
        process.start()
        try:
            waited = 0.0
            while not ready.wait(0.05):
                waited += 0.05
                if not process.is_alive() or waited > _START_S:
                    raise Unavailable(
                        f"The simulated clusters did not start on port {chosen}.",
                        cure="Look at the lines above; is the port in use?",
                    )
            yield SimulatedProvider(f"https://{_LOOPBACK}:{chosen}", lambda: sim_keys(directory))
        finally:
            process.terminate()
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()


def _serve(directory: Path, port: int, scale: float, ready: Event) -> None:
    import sys

    from tutor.kubesim.server import ServeError, serve

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command that started it decides when it ends
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        serve(_LOOPBACK, port, directory, f"sqlite:///{directory / 'clusters.db'}", scale, ready.set)
    except ServeError as e:
        sys.stderr.write(f"kubetutor: {e} {e.cure}\n")
        sys.exit(1)


def _end_with(parent: Any) -> None:
    import os

    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
