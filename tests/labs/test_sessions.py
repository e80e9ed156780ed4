"""The life of a lab session, with parts that misbehave."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.labs.fakes import (
    BrokenProvider,
    Clock,
    CrashingProvider,
    MemoryProvider,
    ScriptedVerifier,
    Shelf,
    SlowProvider,
    UndeletableProvider,
    VanishingProvider,
    small_lab,
)
from tutor.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from tutor.labs.service import Labs, LabView
from tutor.labs.worker import Worker
from tutor.settings import Settings
from tutor.store.base import Database

Make = Callable[..., Labs]
Open = Callable[..., LabView]


def test_a_lab_opens_and_is_ready(make: Make, opened: Open) -> None:
    provider = MemoryProvider()
    view = opened(make(provider))
    assert (view.state, view.provider, view.seconds_left) == ("ready", "simulated", 3600)
    assert [o["kind"] for o in provider.clusters[view.id]] == ["Namespace", "Deployment"]
    assert [s.state for s in view.stages] == ["open", "locked", "locked"]


def test_a_double_click_opens_one_lab(make: Make) -> None:
    provider = SlowProvider()
    labs = make(provider)
    with ThreadPoolExecutor(8) as pool:
        ids = {v.id for v in pool.map(lambda _: labs.open("ann", "small"), range(8))}
    provider.let.set()
    labs.stop()
    assert len(ids) == 1
    assert provider.made == 1


def test_learners_do_not_see_each_others_labs(make: Make, opened: Open) -> None:
    labs = make()
    view = opened(labs)
    assert labs.current("bob", "small") is None
    with pytest.raises(NotFound):
        labs.view(view.id, "bob")
    with pytest.raises(NotFound):
        labs.check(view.id, "bob", "look")


def test_a_locked_lab_is_refused(make: Make) -> None:
    labs = make(is_unlocked=lambda _learner, _lab: False)
    with pytest.raises(Refused, match="questions of its lesson"):
        labs.open("ann", "small")
    assert labs.unlocked("ann", "small") is False


def test_unknown_lab_and_provider(make: Make) -> None:
    labs = make()
    with pytest.raises(NotFound, match="no lab"):
        labs.open("ann", "nothing")
    with pytest.raises(NotFound, match='called "cloud"'):
        labs.open("ann", "small", "cloud")


def test_a_lab_says_where_it_runs(make: Make) -> None:
    labs = make(library=Shelf((small_lab(providers=("kind",)),)))
    with pytest.raises(InvalidInput, match="It runs on: kind"):
        labs.open("ann", "small")


def test_a_broken_provider_fails_with_its_reason_and_a_retry_helps(make: Make, opened: Open) -> None:
    provider = BrokenProvider()
    labs = make(provider)
    failed = opened(labs)
    assert failed.state == "failed"
    assert failed.reason == "The container engine is not running. Start it."
    provider.broken = False
    again = opened(labs)
    assert again.state == "ready"
    assert again.id != failed.id


def test_a_defect_fails_the_lab_and_not_the_process(make: Make, opened: Open) -> None:
    view = opened(make(CrashingProvider()))
    assert view.state == "failed"
    assert "Something of ours broke" in view.reason


def test_a_cluster_that_vanishes_is_told(make: Make, opened: Open) -> None:
    view = opened(make(VanishingProvider()))
    assert (view.state, view.reason) == ("failed", "This lab's cluster is gone.")


def test_no_lab_on_a_cluster_that_enforces_nothing(make: Make, opened: Open) -> None:
    view = opened(make(verifier=ScriptedVerifier(preflight_outcome="failed")))
    assert (view.state, view.reason) == ("failed", "This cluster enforces no policy. Use another one.")


def test_close_deletes_the_cluster_and_again_is_fine(make: Make, opened: Open) -> None:
    provider = MemoryProvider()
    labs = make(provider)
    view = opened(labs)
    assert labs.close(view.id, "ann").state == "closed"
    assert labs.close(view.id, "ann").state == "closed"
    assert provider.deleted == [view.id]
    assert labs.current("ann", "small") is None
    with pytest.raises(Conflict, match="The lab is closed"):
        labs.kubeconfig(view.id, "ann")


def test_closing_while_the_cluster_is_made_leaves_nothing(make: Make) -> None:
    provider = SlowProvider()
    labs = make(provider)
    view = labs.open("ann", "small")
    assert provider.entered.wait(20)
    assert labs.close(view.id, "ann").state == "closed"
    provider.let.set()
    labs.stop()
    assert provider.clusters == {}
    assert labs.view(view.id, "ann").state == "closed"


def test_a_delete_that_fails_is_tried_again_by_the_worker(make: Make, opened: Open, clock: Clock) -> None:
    provider = UndeletableProvider()
    labs = make(provider)
    view = opened(labs)
    assert labs.close(view.id, "ann").state == "closing"
    provider.stuck = False
    clock.forward(minutes=1)
    Worker(labs).reconcile()
    labs.stop()
    assert labs.view(view.id, "ann").state == "closed"
    assert provider.clusters == {}


def test_work_left_by_a_killed_process_is_taken_up(make: Make, clock: Clock, database: Database) -> None:
    labs = make()
    killed = make(SlowProvider())
    killed.sessions.begin = lambda _id: None  # type: ignore[method-assign,assignment,return-value]
    view = killed.open("ann", "small")
    assert labs.view(view.id, "ann").state == "requested"
    Worker(labs).reconcile()
    labs.stop()
    assert labs.view(view.id, "ann").state == "ready"


def test_a_living_lease_is_left_alone(make: Make, clock: Clock) -> None:
    provider = SlowProvider()
    labs = make(provider)
    view = labs.open("ann", "small")
    assert provider.entered.wait(20)
    other = MemoryProvider()
    second = make(other)
    second.sessions.drive(view.id)
    assert other.made == 0
    clock.forward(minutes=5)  # the first one is dead for all anybody knows
    second.sessions.drive(view.id)
    assert other.made == 1
    assert second.view(view.id, "ann").state == "ready"
    provider.let.set()


def test_extend_up_to_the_limit(make: Make, opened: Open) -> None:
    labs = make()
    view = opened(labs)
    assert labs.extend(view.id, "ann").seconds_left == 90 * 60
    for _ in range(5):
        assert labs.extend(view.id, "ann").seconds_left <= 240 * 60
    with pytest.raises(Refused, match="240 minutes at most"):
        labs.extend(view.id, "ann")


def test_time_is_up(make: Make, opened: Open, clock: Clock) -> None:
    provider = MemoryProvider()
    labs = make(provider)
    view = opened(labs)
    clock.forward(minutes=61)
    Worker(labs).reap()
    done = labs.view(view.id, "ann")
    assert (done.state, done.reason) == ("expired", "The time was up.")
    assert provider.clusters == {}
    with pytest.raises(Conflict, match="time was up"):
        labs.check(view.id, "ann", "look")


def test_reset_makes_a_fresh_cluster_and_keeps_credit(make: Make, opened: Open) -> None:
    provider = MemoryProvider()
    labs = make(provider)
    view = opened(labs)
    labs.check(view.id, "ann", "look")
    labs.reset(view.id, "ann")
    again = opened(labs)
    assert (again.id, again.state) == (view.id, "ready")
    assert provider.made == 2
    assert again.stages[0].earned_at is not None
    assert again.revision > view.revision


def test_orphans_are_removed_and_strangers_are_not(make: Make, opened: Open) -> None:
    provider = MemoryProvider()
    labs = make(provider)
    view = opened(labs)
    labs.close(view.id, "ann")
    provider.clusters[view.id] = []
    provider.clusters["somebody-elses"] = []
    Worker(labs).remove_orphans()
    assert list(provider.clusters) == ["somebody-elses"]


def test_choices_name_the_default(make: Make) -> None:
    choices: Any = make().choices("small")
    assert [(c.name, c.default, c.available) for c in choices] == [("simulated", True, True)]


def test_kubeconfig_is_the_learners(make: Make, opened: Open) -> None:
    labs = make()
    text = labs.kubeconfig(opened(labs).id, "ann")
    assert "token: learner" in text
    assert "namespace: shop" in text


def test_warming_proves_enforcement_once_and_leaves_nothing(make: Make, opened: Open) -> None:
    provider = MemoryProvider()
    verifier = ScriptedVerifier()
    labs = make(provider, verifier)
    labs.warm()
    assert (provider.deleted, provider.clusters) == (["trying-out"], {})
    verifier.preflight_outcome = "failed"
    assert opened(labs).state == "ready", "it was proved already"


@pytest.mark.parametrize("provider", [BrokenProvider(), VanishingProvider(), UndeletableProvider()])
def test_warming_never_raises(make: Make, provider: MemoryProvider) -> None:
    make(provider, ScriptedVerifier(preflight_outcome="failed")).warm()
    assert set(provider.clusters) <= {"trying-out"}


def test_a_database_that_cannot_be_written_is_told(tmp_path: Path, database: Database) -> None:
    read_only = Database(f"sqlite:///file:{tmp_path / 'test.db'}?mode=ro&uri=true")
    settings = Settings.from_env({}, data_dir=tmp_path)
    labs = Labs(
        settings, read_only, Shelf((small_lab(),)), {"simulated": MemoryProvider()}, verifier=ScriptedVerifier()
    )
    with pytest.raises(Unavailable, match=r"The database cannot be used: .*readonly.* Nothing of this step was kept"):
        labs.open("ann", "small")
    labs.stop()
    read_only.close()
