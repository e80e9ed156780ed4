"""Lab services over a fresh database and fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.labs.fakes import Clock, MemoryProvider, ScriptedVerifier, Shelf, small_lab
from tutor.labs import manifests
from tutor.labs.service import Labs, LabView
from tutor.settings import Settings
from tutor.store.base import Base, Database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(found.engine)
    yield found
    found.close()


@pytest.fixture
def make(
    tmp_path: Path, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Labs]]:
    """Makes services; workloads of the fakes' clusters are available at once."""
    monkeypatch.setattr(manifests, "wait_available", lambda *_, **__: None)
    made: list[Labs] = []

    def _make(provider: Any = None, verifier: Any = None, **more: Any) -> Labs:
        settings = Settings.from_env({}, data_dir=tmp_path)
        provider = provider or MemoryProvider()
        labs = Labs(
            settings,
            database,
            more.pop("library", None) or Shelf((small_lab(),)),
            {provider.name: provider},
            verifier=verifier or ScriptedVerifier(),
            now=clock,
            collect_logs=lambda _access, _lab: [
                {
                    "actor": "web",
                    "pod": "shop/web-1",
                    "ip": "10.0.0.1",
                    "lines": [f"{clock():%H:%M} call=api outcome=ok", "start"],
                }
            ],
            **more,
        )
        made.append(labs)
        return labs

    yield _make
    for labs in made:
        labs.stop()


@pytest.fixture
def opened() -> Callable[..., LabView]:
    """Opens a lab and waits until it is driven."""

    def _open(labs: Labs, learner: str = "ann", slug: str = "small") -> LabView:
        view = labs.open(learner, slug)
        labs.sessions.begin(view.id).result(20)
        for _ in range(200):
            view = labs.view(view.id, learner)
            if view.state not in ("requested", "starting"):
                break
            labs.sessions.begin(view.id).result(20)
        return view

    return _open
