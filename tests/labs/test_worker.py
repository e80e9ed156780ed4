"""The worker: its loop, what it takes for a change, and work it takes over from a process that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.labs.fakes import MemoryProvider, ScriptedVerifier, Shelf, small_lab
from tutor.clusters.api import ApiUnreachable
from tutor.clusters.provider import Access
from tutor.labs.service import Labs, LabView
from tutor.labs.watch import LabWatch, gist, matters
from tutor.labs.worker import Worker
from tutor.settings import Settings
from tutor.store.base import Base, Database

ROOT = Path(__file__).resolve().parents[2]
LAB = frozenset({"shop"})


def _pod(**changes: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "shop",
            "name": "web-1",
            "uid": "u1",
            "labels": {"app": "web"},
            "resourceVersion": "7",
        },
        "spec": {"containers": []},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    } | changes


def test_only_what_a_check_depends_on_counts_as_a_change() -> None:
    before = gist(_pod())
    meta = _pod()["metadata"]
    assert gist(_pod(metadata=meta | {"resourceVersion": "8", "managedFields": [1]})) == before
    assert gist(_pod(metadata=meta | {"labels": {"app": "web", "tier": "front"}})) != before
    assert gist(_pod(status={"phase": "Pending"})) != before


@pytest.mark.parametrize(
    ("namespace", "name", "counts"),
    [
        ("shop", "web-1", True),
        ("shop", "kubetutor-canary-x", False),
        ("kubetutor-preflight-1", "web", False),
        ("default", "web", False),
        (None, "shop", True),  # the namespace itself
        (None, "kube-system", False),
    ],
)
def test_what_belongs_to_the_lab(namespace: str | None, name: str, counts: bool) -> None:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    assert matters({"metadata": meta}, LAB) is counts


def test_a_watch_outlives_a_cluster_that_does_not_answer() -> None:
    asked = threading.Semaphore(0)

    def access() -> Access:
        asked.release()
        raise ApiUnreachable("The cluster's API does not answer.")

    watch = LabWatch("x", access, LAB, lambda: None)
    watch.start()
    for _ in range(8):  # each of the four kinds asks again after its first failure
        assert asked.acquire(timeout=20)
    watch.stop()


def test_the_loop_goes_on_when_a_step_fails(
    make: Callable[..., Labs], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(make())
    stop = threading.Event()
    rounds: list[int] = []

    def away() -> None:
        raise OSError("the database is away")

    def count() -> None:
        rounds.append(1)
        if len(rounds) == 2:
            stop.set()

    monkeypatch.setattr(worker, "reconcile", away)
    monkeypatch.setattr(worker, "watch", count)
    worker.run(stop)
    assert len(rounds) == 2
    assert "away failed" in caplog.text


def test_only_labs_somebody_looks_at_are_watched(
    make: Callable[..., Labs], opened: Callable[..., LabView], clock: Any
) -> None:
    labs = make()
    view = opened(labs)
    worker = Worker(labs)
    worker.watch()
    assert len(worker.watching()) == 1
    clock.forward(minutes=6)
    worker.watch()
    assert worker.watching() == ()
    labs.touch(view.id)
    worker.watch()
    assert len(worker.watching()) == 1
    labs.close(view.id, "ann")
    worker.watch()
    assert worker.watching() == ()


_KILLED = """
import sys, time
from pathlib import Path
from tests.labs.fakes import MemoryProvider, ScriptedVerifier, Shelf, small_lab
from tutor.labs import service
from tutor.settings import Settings
from tutor.store.base import Base, Database

class HangingProvider(MemoryProvider):
    def create(self, spec):
        print(spec.lab_id, flush=True)
        time.sleep(600)

settings = Settings.from_env({}, data_dir=Path(sys.argv[1]))
labs = service.Labs(settings, Database(settings.database), Shelf((small_lab(),)), {"simulated": HangingProvider()},
                    verifier=ScriptedVerifier())
labs.sessions.open("ann", "small", None)
time.sleep(600)
"""


def test_a_lab_whose_process_was_killed_is_finished_by_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tutor.labs.manifests.wait_available", lambda *_, **__: None)
    settings = Settings.from_env({}, data_dir=tmp_path)
    database = Database(settings.database)
    Base.metadata.create_all(database.engine)
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    lab_id = process.stdout.readline().strip()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    moment = [datetime.now(UTC)]
    labs = Labs(
        settings,
        database,
        Shelf((small_lab(),)),
        {"simulated": MemoryProvider()},
        verifier=ScriptedVerifier(),
        now=lambda: moment[0],
    )
    worker = Worker(labs)
    worker.reconcile()
    assert labs.sessions.owned(lab_id, "ann").state == "starting", "its lease still holds"
    moment[0] += timedelta(minutes=1)
    worker.reconcile()
    labs.stop()
    assert labs.sessions.owned(lab_id, "ann").state == "ready"
    database.close()
