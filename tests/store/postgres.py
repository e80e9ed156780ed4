"""A PostgreSQL server of the test run's own: a fresh directory, a Unix socket, no network."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.needs import postgres_bin

_USER = "postgres"


@contextmanager
def server() -> Iterator[str]:
    """Start one and stop it afterwards; gives the directory of its socket.

    PostgreSQL refuses to run as root: there it runs as the user its package made.
    """
    directory = Path(tempfile.mkdtemp(prefix="kubetutor-pg-"))
    who: dict[str, str] = {}
    if os.geteuid() == 0:
        owner = pwd.getpwnam(_USER)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        who = {"user": _USER, "group": _USER}
    data, bin_ = directory / "data", Path(postgres_bin())

    def run(program: str, *args: str) -> None:
        done = subprocess.run(
            [str(bin_ / program), "-D", str(data), *args],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
            **who,  # type: ignore[call-overload]
        )
        log = directory / "log"
        assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")

    try:
        run("initdb", "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = {
            "listen_addresses": "''",
            "fsync": "off",
            "timezone": "Asia/Kolkata",  # not UTC: a moment stored without its zone would show
            "lock_timeout": "20s",  # two that wait for each other are an error, not a test run that never ends
            "statement_timeout": "60s",
            "idle_in_transaction_session_timeout": "60s",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items()) + f" -k {directory}"
        run("pg_ctl", "-w", "-l", str(directory / "log"), "-o", options, "start")
        try:
            yield str(directory)
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def url(directory: str, database: str) -> str:
    """The SQLAlchemy URL of a database on that server."""
    return f"postgresql+psycopg://{_USER}@/{database}?host={directory}"
