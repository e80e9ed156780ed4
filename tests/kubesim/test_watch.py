"""What a watch sends: every change after a revision, once, in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kubesim import memory
from tests.kubesim.objects import config_map
from tutor.kubesim import cluster as cluster_module
from tutor.kubesim import verbs, watch
from tutor.kubesim.cluster import Cluster
from tutor.kubesim.registry import BY_PLURAL
from tutor.kubesim.service import Clusters

CONFIG_MAPS = BY_PLURAL["configmaps"]
Event = tuple[str, str]


class Watching:
    """One watch of config maps, read event by event."""

    def __init__(self, where: Clusters, cluster: Cluster, **query: str) -> None:
        self.lines: AsyncIterator[bytes] = watch.stream(where, cluster, CONFIG_MAPS, "default", query, as_table=False)

    async def next(self) -> dict[str, Any]:
        while True:
            line = await asyncio.wait_for(anext(self.lines), 20)
            if line:
                found: dict[str, Any] = json.loads(line)
                return found

    async def events(self, count: int) -> list[Event]:
        found = [await self.next() for _ in range(count)]
        return [(e["type"], e["object"]["metadata"].get("name", "")) for e in found]

    async def ends(self) -> bool:
        async for line in self.lines:
            if line:
                return False
        return True


def watched(tmp_path: Path, work: Callable[[Clusters, Cluster], Awaitable[None]]) -> None:
    async def main() -> None:
        async with memory.clusters(memory.sqlite(tmp_path)) as where:
            await work(where, await where.create("one"))

    memory.run(main)


async def relabel(where: Clusters, cluster: Cluster, name: str, **labels: str) -> None:
    async with where.change(cluster) as t:
        before = t.get("configmaps", "default", name)
        assert before is not None
        after = {**before, "metadata": {**before["metadata"], "labels": labels}}
        verbs.replace(t, CONFIG_MAPS, before, after, strict=True, manager="test")


def test_it_begins_with_what_is_there_and_goes_on(tmp_path: Path) -> None:
    async def work(where: Clusters, cluster: Cluster) -> None:
        watching = Watching(where, cluster)
        assert await watching.events(1) == [("ADDED", "kube-root-ca.crt")]
        await memory.create(where, cluster, "configmaps", config_map("a"))
        await memory.create(where, cluster, "configmaps", config_map("b"))
        await memory.remove(where, cluster, "configmaps", "a")
        assert await watching.events(3) == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]

    watched(tmp_path, work)


def test_it_resumes_after_a_revision(tmp_path: Path) -> None:
    async def work(where: Clusters, cluster: Cluster) -> None:
        await memory.create(where, cluster, "configmaps", config_map("a"))
        revision = str(cluster.revision)
        await memory.create(where, cluster, "configmaps", config_map("b"))
        await memory.remove(where, cluster, "configmaps", "a")
        watching = Watching(where, cluster, resourceVersion=revision)
        assert await watching.events(2) == [("ADDED", "b"), ("DELETED", "a")]

    watched(tmp_path, work)


def test_a_deletion_carries_a_revision_to_resume_from(tmp_path: Path) -> None:
    async def work(where: Clusters, cluster: Cluster) -> None:
        await memory.create(where, cluster, "configmaps", config_map("a"))
        watching = Watching(where, cluster, resourceVersion=str(cluster.revision))
        await memory.remove(where, cluster, "configmaps", "a")
        event = await watching.next()
        assert event["object"]["metadata"]["resourceVersion"] == str(cluster.revision)

    watched(tmp_path, work)


def test_a_revision_that_is_too_old_is_answered_410(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "WATCH_WINDOW", 3)

    async def work(where: Clusters, cluster: Cluster) -> None:
        for number in range(6):
            await memory.create(where, cluster, "configmaps", config_map(f"m{number}"))
        event = await Watching(where, cluster, resourceVersion="1").next()
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert await Watching(where, cluster, resourceVersion=str(cluster.revision - 1)).events(1) == [("ADDED", "m5")]

    watched(tmp_path, work)


def test_a_streaming_list_ends_with_a_bookmark(tmp_path: Path) -> None:
    async def work(where: Clusters, cluster: Cluster) -> None:
        query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        watching = Watching(where, cluster, **query)
        assert await watching.events(1) == [("ADDED", "kube-root-ca.crt")]
        mark = await watching.next()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert mark["object"]["metadata"]["resourceVersion"] == str(cluster.revision)

    watched(tmp_path, work)


def test_a_selector_makes_changes_appear_and_disappear(tmp_path: Path) -> None:
    async def work(where: Clusters, cluster: Cluster) -> None:
        watching = Watching(where, cluster, labelSelector="in=yes", resourceVersion=str(cluster.revision))
        await memory.create(where, cluster, "configmaps", config_map("a"))
        await relabel(where, cluster, "a", **{"in": "yes"})
        await relabel(where, cluster, "a", **{"in": "yes", "more": "1"})
        await relabel(where, cluster, "a", **{"in": "no"})
        assert await watching.events(3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]

    watched(tmp_path, work)


def test_it_ends_with_its_time_and_with_its_cluster(tmp_path: Path) -> None:
    async def work(where: Clusters, cluster: Cluster) -> None:
        revision = str(cluster.revision)
        assert await Watching(where, cluster, resourceVersion=revision, timeoutSeconds="1").ends()
        watching = Watching(where, cluster, resourceVersion=revision)
        ended = asyncio.ensure_future(watching.ends())
        while not cluster.watchers:
            await asyncio.sleep(0)
        await where.delete("one")
        assert await asyncio.wait_for(ended, 20)
        assert not cluster.watchers

    watched(tmp_path, work)


@pytest.mark.parametrize(
    "query",
    [{"resourceVersion": "old"}, {"timeoutSeconds": "soon"}, {"labelSelector": "a in"}, {"fieldSelector": "nope=1"}],
)
def test_what_it_cannot_understand_it_refuses(tmp_path: Path, query: dict[str, str]) -> None:
    async def work(where: Clusters, cluster: Cluster) -> None:
        watching = Watching(where, cluster, **query)
        event = await watching.next()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 400)
        assert await watching.ends()

    watched(tmp_path, work)
