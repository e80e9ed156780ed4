"""Disk and memory always agree: after a crash, a full disk, a database that may only be read, a second process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.kubesim import memory
from tests.kubesim.objects import config_map, deployment, policy
from tests.store.conftest import empty_url, postgres_server
from tutor.kubesim.cluster import Cluster
from tutor.kubesim.service import Clusters
from tutor.kubesim.status import ApiError
from tutor.kubesim.store import StorageBusy, StorageError, Store

__all__ = ["empty_url", "postgres_server"]


def state(cluster: Cluster) -> tuple[object, ...]:
    return cluster.revision, cluster.counters, {k: v for k, v in cluster.objects.items() if v}


def test_what_was_answered_is_there_after_a_restart(empty_url: str) -> None:
    async def before() -> tuple[object, ...]:
        async with memory.clusters(empty_url) as where:
            cluster = await where.create("one")
            await memory.create(where, cluster, "deployments", deployment())
            await memory.create(where, cluster, "networkpolicies", policy())
            await memory.remove(where, cluster, "networkpolicies", "deny")
            return state(cluster)

    async def after() -> tuple[object, ...]:
        async with memory.clusters(empty_url) as where:
            assert await where.ids() == ["one"]
            return state(await where.get("one"))

    written = memory.run(before)
    assert memory.run(after) == written


def test_the_history_of_traffic_survives(empty_url: str) -> None:
    clock = memory.Clock()

    def pictures(cluster: Cluster) -> list[tuple[object, ...]]:
        return [
            (view.at, sorted(view.objects["networkpolicies"]), sorted(view.objects["pods"]))
            for view in cluster.history.epochs
        ]

    async def before() -> list[tuple[object, ...]]:
        async with memory.clusters(empty_url, clock=clock) as where:
            cluster = await where.create("one")
            await memory.create(where, cluster, "deployments", deployment())
            await memory.create(where, cluster, "networkpolicies", policy())
            await memory.remove(where, cluster, "networkpolicies", "deny")
            return pictures(cluster)

    async def after() -> list[tuple[object, ...]]:
        async with memory.clusters(empty_url, clock=clock) as where:
            return pictures(await where.get("one"))

    written, found = memory.run(before), memory.run(after)
    assert found == written[-len(found) :]
    assert [names for _, names, _ in found][-3:] == [[], [("default", "deny")], []]


def test_deleting_a_cluster_leaves_the_others(empty_url: str) -> None:
    async def work() -> None:
        async with memory.clusters(empty_url) as where:
            for name in ("one", "two"):
                await where.create(name)
            await where.delete("one")
            await where.delete("one")
            assert await where.ids() == ["two"]
            with pytest.raises(ApiError) as gone:
                await where.get("one")
            assert gone.value.code == 404

    memory.run(work)


async def _refused(where: Clusters, cluster: Cluster, big: str) -> str:
    with pytest.raises(ApiError) as told:
        await memory.create(where, cluster, "configmaps", config_map("big", text=big))
    assert told.value.code == 500
    return told.value.message


@pytest.mark.parametrize(
    ("limit", "undo", "expected"),
    [
        ("PRAGMA max_page_count=1", "PRAGMA max_page_count=100000", "full"),
        ("PRAGMA query_only=ON", "PRAGMA query_only=OFF", "readonly"),
    ],
)
def test_a_write_the_disk_refuses_leaves_everything_as_it_was(
    tmp_path: Path, limit: str, undo: str, expected: str
) -> None:
    async def work() -> None:
        async with memory.clusters(memory.sqlite(tmp_path)) as where:
            cluster = await where.create("one")
            queue: asyncio.Queue[object] = asyncio.Queue()
            cluster.watchers.add(queue)  # type: ignore[arg-type]
            was = state(cluster)
            await where.run(_pragma, where.store, limit)
            message = await _refused(where, cluster, "x" * 500_000)
            assert expected in message
            assert "nothing was changed" in message
            assert state(await where.get("one")) == was
            assert queue.empty()
            assert "default" in str(cluster.objects["namespaces"])
            await where.run(_pragma, where.store, undo)
            await memory.create(where, cluster, "configmaps", config_map("big", text="y" * 500_000))

        async with memory.clusters(memory.sqlite(tmp_path)) as again:
            kept = (await again.get("one")).objects["configmaps"][("default", "big")]
            assert kept["data"]["text"][:1] == "y"

    memory.run(work)


def _pragma(store: Store, text: str) -> None:
    connection = store.engine.raw_connection()
    connection.cursor().execute(text).close()
    connection.close()


def test_memory_that_disagrees_with_the_disk_is_dropped(tmp_path: Path) -> None:
    """The commit went through although its answer says that it failed: what counts is the disk."""

    async def work() -> None:
        async with memory.clusters(memory.sqlite(tmp_path)) as where:
            cluster = await where.create("one")
            commit = where.store.commit

            def commit_and_fail(*args: object) -> None:
                commit(*args)  # type: ignore[arg-type]
                raise StorageError("the connection broke")

            where.store.commit = commit_and_fail  # type: ignore[method-assign]
            await _refused(where, cluster, "x")
            where.store.commit = commit  # type: ignore[method-assign]
            assert cluster.closed
            fresh = await where.get("one")
            assert ("default", "big") in fresh.objects["configmaps"]
            await memory.create(where, fresh, "configmaps", config_map("next"))

    memory.run(work)


def test_a_caller_who_leaves_does_not_tear_memory_from_disk(tmp_path: Path) -> None:
    async def work() -> None:
        async with memory.clusters(memory.sqlite(tmp_path)) as where:
            cluster = await where.create("one")
            task = asyncio.ensure_future(memory.create(where, cluster, "configmaps", config_map("left")))
            while not cluster.lock.locked():
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            kept = await where.run(where.store.load, "one")
            assert kept is not None
            assert kept.revision == cluster.revision
            await memory.create(where, cluster, "configmaps", config_map("next"))

    memory.run(work)


def test_one_writer_per_database(empty_url: str) -> None:
    first = Store(empty_url)
    with pytest.raises(StorageBusy, match="another process already serves the simulated clusters"):
        Store(empty_url)
    first.close()
    Store(empty_url).close()


def test_a_database_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        Store(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")
    (tmp_path / "x.db").write_text("a shopping list, and a long one at that " * 50)
    with pytest.raises(StorageError, match="not a database"):
        Store(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_cluster_holds_so_many_objects_and_no_more(tmp_path: Path) -> None:
    async def work() -> None:
        async with memory.clusters(memory.sqlite(tmp_path), max_objects=60) as where:
            cluster = await where.create("one")
            free = 60 - sum(len(objects) for objects in cluster.objects.values())
            for number in range(free):
                await memory.create(where, cluster, "configmaps", config_map(f"m{number}"))
            with pytest.raises(ApiError, match="exceeded quota: a simulated cluster holds at most 60 objects") as told:
                await memory.create(where, cluster, "configmaps", config_map("more"))
            assert told.value.code == 403
            await memory.remove(where, cluster, "configmaps", "m0")
            await memory.create(where, cluster, "configmaps", config_map("more"))

    memory.run(work)
