"""Serves simulated clusters on loopback: TLS, one process, one writer."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable
from pathlib import Path

import uvicorn

from tutor.kubesim import auth, pki, schema
from tutor.kubesim.app import create_app
from tutor.kubesim.service import MAX_OBJECTS, Clusters
from tutor.kubesim.store import StorageBusy, StorageError, Store

_OTHER = "Stop it first, or set KUBETUTOR_DATA_DIR to another directory."


class ServeError(Exception):
    """The server cannot start; the message says why, ``cure`` what to do."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.cure = cure


class _Server(uvicorn.Server):
    """Ends the watches before it shuts down: otherwise they would hold it up."""

    def __init__(self, config: uvicorn.Config, clusters: Clusters, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._clusters, self._ready = clusters, ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup()
        if self.started:
            self._ready()
            # Off the first request's path: the schemas take a moment to read.
            await asyncio.get_running_loop().run_in_executor(None, _warm)

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._clusters.end_watches()
        await super().shutdown()


_EXPECTED = (
    "Cancel 0 running task",  # idle connections are cut at shutdown: nothing was running on them
    "ASGI callable returned without completing handshake",  # an exec refused with a Status, before the handshake
    "Unsupported upgrade request",  # kubectl tries SPDY after that refusal
)


def _noteworthy(record: logging.LogRecord) -> bool:
    """Drops complaints about what is meant to happen."""
    return not record.getMessage().startswith(_EXPECTED)


def _warm() -> None:
    schema.definitions()
    schema.openapi_index()


def serve(
    host: str,
    port: int,
    directory: Path,
    database_url: str,
    timeout_scale: float,
    ready: Callable[[], None],
    max_objects: int = MAX_OBJECTS,
) -> None:
    """Serve until the process is asked to end (SIGTERM or SIGINT).

    :param directory: keys and the lock live here.
    :param timeout_scale: the part of a real network time-out that simulated pods wait.
    :param ready: called once requests are answered.
    :param max_objects: how many objects one cluster may hold.
    :raises ServeError: another process serves this database, or a file cannot be used.
    """
    try:
        keys = pki.ensure(directory)
        secret = auth.load_secret(directory)
        lock = _lock(directory)
        store = Store(database_url)
    except StorageBusy as e:
        raise ServeError(f"The simulated clusters cannot start: {e}.", _OTHER) from e
    except (OSError, StorageError) as e:
        raise ServeError(
            f"The simulated clusters cannot start: {e}.", f"Make {directory} and the database writable."
        ) from e
    try:
        clusters = Clusters(store, scale=timeout_scale, max_objects=max_objects)
        logging.getLogger("uvicorn.error").addFilter(_noteworthy)
        config = uvicorn.Config(
            create_app(clusters, secret),
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_ping_interval=None,
            ws_ping_timeout=None,
            ws_per_message_deflate=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            backlog=4096,
            ssl_certfile=str(keys.cert_path),
            ssl_keyfile=str(keys.key_path),
            log_level="warning",
            access_log=False,
            lifespan="off",
        )
        _Server(config, clusters, ready).run()
        clusters.close()
    finally:
        os.close(lock)


def _lock(directory: Path) -> int:
    """Held as long as this process lives (the system lets it go even after kill -9): there is one writer."""
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(handle)
        raise ServeError(
            f"Another Kubetutor already serves the simulated clusters of {directory}.",
            _OTHER,
        ) from e
    return handle
