"""The engine: what SQLite is told, and that it is told again when another process is in the way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from tutor.store import base
from tutor.store.base import Database


class LockedAtFirst:
    """A cursor that is told so many times that the file is locked, as when two processes open a new file at once."""

    def __init__(self, times: int, message: str = "database is locked") -> None:
        self.times, self.message, self.asked = times, message, 0

    def execute(self, statement: str) -> None:
        assert statement == "PRAGMA journal_mode=WAL"
        self.asked += 1
        if self.asked <= self.times:
            raise sqlite3.OperationalError(self.message)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_RETRY_S", 0)


def test_a_file_that_is_locked_for_a_moment_is_tried_again() -> None:
    cursor = LockedAtFirst(3)
    base._use_wal(cursor)
    assert cursor.asked == 4


def test_a_file_that_stays_locked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_BUSY_S", -1)
    cursor = LockedAtFirst(1)
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        base._use_wal(cursor)
    assert cursor.asked == 1


def test_any_other_error_is_told_at_once() -> None:
    cursor = LockedAtFirst(1, "disk I/O error")
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        base._use_wal(cursor)
    assert cursor.asked == 1


def test_every_connection_to_sqlite_is_set_up(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kubetutor.db'}")
    with database.engine.connect() as connection:
        found = {
            p: connection.execute(text(f"PRAGMA {p}")).scalar()
            for p in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 15000}
