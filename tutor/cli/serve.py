"""``kubetutor serve``: three processes, one log, ended together.

The parent only starts, watches and ends: pages (gunicorn), simulated clusters (uvicorn) and the worker are processes of
their own, so that a slow page never holds up a cluster. A child whose parent is killed ends by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Any

import click

from tutor.cli.exits import Exit
from tutor.errors import KubetutorError, SettingsError, Unavailable
from tutor.settings import Settings

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 10.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the pages.  [default: 8000, or KUBETUTOR_PORT]")
@click.option("--host", help="Address of the pages; only loopback, until accounts exist.  [default: 127.0.0.1]")
def serve(port: int | None, host: str | None) -> int:
    """Start the pages, the simulated clusters and the worker; Ctrl-C ends them together.

    Everything is configured by environment variables, listed in docs/settings.md.
    """
    settings = Settings.from_env(port=port, host=host)
    _check(settings)
    return _Supervisor(settings).run()


def _check(settings: Settings) -> None:
    """Refuse early, with the cure, what would only fail later in a child.

    :raises SettingsError, Unavailable: what stands in the way.
    """
    if settings.host not in _LOOPBACK:
        raise SettingsError(
            f"Kubetutor does not listen on {settings.host}: it has no accounts yet, so whoever reaches it could run commands.",
            cure="Use 127.0.0.1, and reach it from elsewhere through an SSH tunnel.",
        )
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Unavailable(
            f"The data directory {settings.data_dir} cannot be made: {e.strerror}.",
            cure="Make it writable, or set KUBETUTOR_DATA_DIR.",
        ) from e
    for port, variable in ((settings.port, "KUBETUTOR_PORT"), (settings.api_port, "KUBETUTOR_API_PORT")):
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((settings.host, port))
            except OSError as e:
                raise Unavailable(
                    f"Port {port} is in use.",
                    cure=f"Stop what uses it (another kubetutor serve?), or set {variable} to a free port.",
                ) from e


def _upgrade(settings: Settings) -> None:
    """Bring the tables up to date once, before pages and worker use them.

    :raises Unavailable: the database cannot be used.
    """
    from tutor.store.base import Database
    from tutor.store.schema import upgrade

    database = Database(settings.database)
    try:
        upgrade(database)
    finally:
        database.close()


class _Supervisor:
    """Starts the children, waits for all to be ready, ends all when one ends."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.context = multiprocessing.get_context("spawn")
        self.children: list[tuple[BaseProcess, Event]] = []
        self.stop = threading.Event()

    def run(self) -> int:
        began = time.monotonic()
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: self.stop.set())
        try:
            # The clusters keep tables of their own: they start while ours are brought up to date.
            self._start("clusters", _run_clusters)
            _upgrade(self.settings)
            self._start("pages", _run_pages)
            if not self._wait_ready():
                return self._failed()
            host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
            seconds = time.monotonic() - began
            click.echo(
                f"Kubetutor is ready at http://{host}:{self.settings.port}  (started in {seconds:.1f} s; Ctrl-C ends it)"
            )
            # Nobody waits for the worker: it starts once the pages answer, instead of taking the processor from them.
            self._start("worker", _run_worker)
            while not self.stop.wait(0.5):
                if any(not child.is_alive() for child, _ in self.children):
                    return self._failed()
            return Exit.OK
        finally:
            self._end()

    def _start(self, name: str, target: Callable[[Settings, Event], None]) -> None:
        ready = self.context.Event()
        child = self.context.Process(target=_child, args=(target, self.settings, ready), name=name)
        child.start()
        self.children.append((child, ready))

    def _wait_ready(self) -> bool:
        deadline = time.monotonic() + _START_LIMIT_S
        for child, ready in self.children:
            while not ready.wait(0.05):
                if self.stop.is_set() or not child.is_alive() or time.monotonic() > deadline:
                    return False
        return True

    def _failed(self) -> int:
        if self.stop.is_set():
            return Exit.OK
        names = ", ".join(child.name for child, _ in self.children if not child.is_alive()) or "a part"
        click.echo(f"kubetutor: {names} ended; the lines above say why. Everything is being stopped.", err=True)
        return Exit.UNAVAILABLE

    def _end(self) -> None:
        for child, _ in self.children:
            if child.is_alive():
                child.terminate()
        deadline = time.monotonic() + _STOP_LIMIT_S
        for child, _ in self.children:
            child.join(max(0.1, deadline - time.monotonic()))
            if child.is_alive():
                child.kill()
                child.join()


def _child(target: Callable[[Settings, Event], None], settings: Settings, ready: Event) -> None:
    """Body of every child: ends with the parent, and says an error in one line."""
    # The terminal's Ctrl-C reaches the whole group: the parent alone decides when children end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        target(settings, ready)
    except KubetutorError as e:
        click.echo(f"kubetutor: {e}", err=True)
        sys.exit(Exit.UNAVAILABLE)


def _end_with(parent: Any) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _run_clusters(settings: Settings, ready: Event) -> None:
    from tutor.app import serve_clusters

    serve_clusters(settings, ready.set)


def _run_pages(settings: Settings, ready: Event) -> None:
    from gunicorn.app.base import BaseApplication

    class Pages(BaseApplication):  # type: ignore[misc]
        """gunicorn with its settings given here instead of in a file."""

        def load_config(self) -> None:
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            for key, value in {
                "bind": f"{host}:{settings.port}",
                "worker_class": "gthread",
                "workers": 1,
                "threads": settings.web_threads,
                "timeout": 0,  # a console command may stream for minutes; its own limit ends it
                "graceful_timeout": 3,
                "loglevel": "warning",
                "control_socket_disable": True,
                "post_worker_init": lambda _worker: ready.set(),
            }.items():
                if key in self.cfg.settings:
                    self.cfg.set(key, value)

        def load(self) -> Any:
            from tutor.app import create_app

            return create_app(settings)

    sys.argv = ["kubetutor"]  # gunicorn reads none of our arguments
    Pages().run()


def _run_worker(settings: Settings, ready: Event) -> None:
    from tutor.app import create_worker

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker = create_worker(settings)
    ready.set()
    worker.run(stop)
