"""The declarative base and the engine. Only ``tutor.store`` (and ``tutor.kubesim.store``, with its own tables) knows SQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from sqlalchemy import DateTime, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from tutor.errors import SettingsError, Unavailable

_BUSY_S = 15
_RETRY_S = 0.02


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: aware in Python, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of Kubetutor's own tables."""


def make_engine(url: str) -> Engine:
    """An engine for ``url``. SQLite gets WAL, foreign keys, a busy time-out, and ``BEGIN IMMEDIATE``:
    its default (a deferred begin) lets two writers read the same state and lose one update in silence.

    :raises SettingsError: no such database, or its driver is not installed.
    """
    try:
        backend = make_url(url).get_backend_name()
        if backend != "sqlite":
            return create_engine(url, pool_pre_ping=True)
    except (ArgumentError, ModuleNotFoundError) as e:
        raise SettingsError(
            "KUBETUTOR_DATABASE_URL cannot be used: it names no database that is supported and installed here.",
            cure="Leave it empty for SQLite, or write postgresql+psycopg://user@host/name and install kubetutor[postgres].",
        ) from e
    engine = create_engine(url, connect_args={"timeout": _BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={_BUSY_S * 1000}", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        _use_wal(cursor)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _use_wal(cursor: Any) -> None:
    """Switch the file to write-ahead logging. SQLite does not apply its busy time-out to this switch: of two processes
    that open a new file at once, one is told at once that it is locked. It may try again, until the time-out is over.

    Source: https://www.sqlite.org/c3ref/busy_handler.html (the handler is not called where it could cause a deadlock)
    """
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as e:
            if "locked" not in str(e) or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)


class Database:
    """The engine and its sessions: one object made by ``app.create_app`` and handed to the services."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._observer: sqlite3.Connection | None = None
        self._observing = Lock()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: commits at the end, rolls back on any error. Services open it at their edge; queries only flush.

        :raises Unavailable: the database cannot be read or written (disk full, read-only, gone, locked for too long).
        """
        try:
            with self._sessions.begin() as session:
                yield session
        except OperationalError as e:
            raise Unavailable(
                f"The database cannot be used: {str(e.orig).strip().splitlines()[0]}. Nothing of this step was kept.",
                cure="See that its disk has space and can be written, then try again.",
            ) from e

    def version(self) -> int | None:
        """A number that stays the same as long as no process commits anything to the database; None where that
        cannot be told cheaply (anything but an SQLite file). Readers may keep what they read under one number.

        Source: https://www.sqlite.org/pragma.html#pragma_data_version
        """
        url = self.engine.url
        if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
            return None
        with self._observing:
            if self._observer is None:
                # A connection that never writes: it sees the commits of all others.
                self._observer = sqlite3.connect(url.database, check_same_thread=False, isolation_level=None)
            return int(self._observer.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Give every connection back."""
        with self._observing:
            if self._observer is not None:
                self._observer.close()
                self._observer = None
        self.engine.dispose()
