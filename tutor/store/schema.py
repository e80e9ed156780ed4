"""Brings the database's tables up to date when a process starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from tutor.errors import Unavailable
from tutor.store.base import Database

HEAD = "0002"
"""The newest migration below ``migrations/versions``; a test keeps this true."""
_LOCK = 0x6B7574  # any number: the processes of one installation must take the same
_HERE = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Apply the migrations that are missing; does nothing (and loads nothing) when there are none.

    :raises Unavailable: the database cannot be reached or written, or belongs to a newer Kubetutor.
    """
    try:
        current = revision(database)
        if current == HEAD:
            return
        if current is not None and current > HEAD:
            raise Unavailable(
                f"The database was made by a newer Kubetutor (schema {current}; this one knows {HEAD}).",
                cure="Install the newer version again, or use another data directory.",
            )
        from alembic import command

        with database.engine.begin() as connection:
            # Processes that start together wait for the first: SQLite by its BEGIN IMMEDIATE, PostgreSQL by this lock.
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            command.upgrade(config(connection), "head")
    except SQLAlchemyError as e:
        reason = str(e.__cause__ or e).strip().splitlines()[0]
        raise Unavailable(
            f"The database cannot be used: {reason}.",
            cure="Check KUBETUTOR_DATABASE_URL, that its disk has space, and that it may be written.",
        ) from e


def revision(database: Database) -> str | None:
    """The migration the database is at, or None when it is new."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def config(connection: Any) -> Any:
    """Alembic's configuration over an open connection."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(_HERE))
    made.attributes["connection"] = connection
    return made
