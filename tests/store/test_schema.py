"""Tables are brought up to date once, by one process, or the reason is told."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text

from tutor.errors import SettingsError, Unavailable
from tutor.store import schema
from tutor.store.base import Database
from tutor.store.schema import HEAD, config, revision, upgrade
from tutor.store.tables import Base


def test_migrations_make_exactly_the_tables_the_code_knows(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert set(inspect(connection).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_there_is_one_line_of_migrations_and_its_end_is_head() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert scripts.get_heads() == [HEAD]
    names = [s.revision for s in scripts.walk_revisions()][::-1]
    assert names == sorted(names), "revision decides by this order which database is newer"


def test_each_migration_can_be_taken_back_and_made_again(database: Database) -> None:
    with database.engine.begin() as connection:
        command.downgrade(config(connection), "base")
    with database.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    upgrade(database)
    assert revision(database) == HEAD


def test_records_of_the_first_release_are_kept(empty_url: str) -> None:
    database = Database(empty_url)
    with database.engine.begin() as connection:
        command.upgrade(config(connection), "0001")
        connection.execute(
            text(
                'INSERT INTO quiz_attempts (learner, lesson, number, started_at, "right", total, passed, content_digest)'
                " VALUES ('local', 'doors', 1, '2026-01-01 00:00:00', 0, 0, false, '')"
            )
        )
    upgrade(database)
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT learner, asked FROM quiz_attempts")).all() == [("local", None)]
    database.close()


def test_tables_of_the_simulated_clusters_are_left_alone(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE sim_objects (id INTEGER)"))
        command.downgrade(config(connection), "base")
    upgrade(database)
    with database.engine.connect() as connection:
        assert "sim_objects" in inspect(connection).get_table_names()


def test_up_to_date_means_nothing_is_loaded(database: Database, empty_url: str) -> None:
    code = (
        "import sys; from tutor.store.base import Database; from tutor.store.schema import upgrade\n"
        f"d = Database({empty_url!r}); upgrade(d); d.close(); sys.exit('alembic' in sys.modules)"
    )
    assert revision(database) == HEAD
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_processes_that_start_together(empty_url: str) -> None:
    code = (
        "import sys; from tutor.store.base import Database; from tutor.store.schema import upgrade; import alembic.command\n"
        f"d = Database({empty_url!r}); print('set', flush=True); sys.stdin.readline(); upgrade(d); d.close()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(3)]  # type: ignore[call-overload]
    assert [p.stdout.readline() for p in processes] == ["set\n"] * 3
    for p in processes:
        p.stdin.write("go\n")
        p.stdin.flush()
    errors = [p.communicate(timeout=120)[1] for p in processes]
    assert [(p.returncode, e) for p, e in zip(processes, errors, strict=True)] == [(0, "")] * 3
    database = Database(empty_url)
    assert revision(database) == HEAD
    database.close()


def test_a_database_of_a_newer_kubetutor_is_left_alone(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match=f"made by a newer Kubetutor .schema 9999; this one knows {HEAD}") as told:
        upgrade(database)
    assert "Install the newer version" in told.value.cure
    assert revision(database) == "9999"


# -- a disk or an address that cannot be used ------------------------------------------------------


def refused(database: Database, expected: str) -> None:
    with pytest.raises(Unavailable, match=expected) as told:
        upgrade(database)
    assert "KUBETUTOR_DATABASE_URL" in told.value.cure
    assert "\n" not in told.value.message
    database.close()


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    refused(Database(f"sqlite:///{tmp_path / 'nowhere' / 'kubetutor.db'}"), "unable to open database file")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "kubetutor.db").write_text("This is a shopping list, and a long one at that. " * 50)
    refused(Database(f"sqlite:///{tmp_path / 'kubetutor.db'}"), "file is not a database")


def test_a_database_that_may_only_be_read(tmp_path: Path) -> None:
    path = tmp_path / "kubetutor.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (id INTEGER)")
    connection.close()
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    refused(database, "attempt to write a readonly database")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("other",)]
    connection.close()


def test_a_full_disk_leaves_nothing_half_made(tmp_path: Path) -> None:
    path = tmp_path / "kubetutor.db"
    full = Database(f"sqlite:///{path}")
    event.listen(full.engine, "connect", lambda c, _: c.execute("PRAGMA max_page_count=4").close())
    refused(full, "database or disk is full")
    roomy = Database(f"sqlite:///{path}")
    assert revision(roomy) is None
    upgrade(roomy)
    assert revision(roomy) == HEAD
    roomy.close()


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    refused(Database(f"postgresql+psycopg://nobody@/none?host={tmp_path}"), "The database cannot be used")


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x/y", "postgresql+nosuchdriver://x/y"])
def test_an_address_that_names_no_database(url: str) -> None:
    with pytest.raises(SettingsError, match="KUBETUTOR_DATABASE_URL cannot be used"):
        Database(url)
