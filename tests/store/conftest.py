"""Every test of the store runs on SQLite, and on PostgreSQL where its programs are installed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy

from tests.content import small
from tests.store import postgres
from tutor.content import library as library_module
from tutor.content.library import Library
from tutor.store.base import Database
from tutor.store.quizzes import Quizzes
from tutor.store.schema import upgrade

_names = itertools.count(1)
LESSON = small.LESSON.replace("lab: hinge\n", "").replace("\n{{ path }}", "\n{{ path }}\n\n{{ question: which-way }}")
ITEMS = {"which-key": "inline", "which-way": "inline", "lock-one": "wrap-up", "lock-two": "wrap-up"}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as directory:
        yield directory


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kubetutor.db'}"
    directory, name = request.getfixturevalue("postgres_server"), f"test{next(_names)}"
    engine = sqlalchemy.create_engine(postgres.url(directory, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return postgres.url(directory, name)


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    made = Database(empty_url)
    upgrade(made)
    yield made
    made.close()


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write the small content again with other texts; the library sees it at the next call."""
    monkeypatch.setattr(library_module, "_LOOK_EVERY_S", 0.0)
    root = tmp_path / "content"

    def write(**changed: str) -> None:
        small.write(root, **{"lesson": LESSON, "quiz": small.quiz(ITEMS), **changed})

    write()
    return write


@pytest.fixture
def library(tmp_path: Path, edit: Callable[..., None]) -> Library:
    made = Library(tmp_path / "content")
    assert made.problems == ()
    return made


@pytest.fixture
def quizzes(database: Database, library: Library) -> Quizzes:
    return Quizzes(database, library)
