"""All clusters of one server process: loaded when first asked for, changed by one writer, kept whole on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from tutor.kubesim import bootstrap, controllers
from tutor.kubesim.cluster import Clock, Cluster, Transaction
from tutor.kubesim.oneoff import OneOffs
from tutor.kubesim.status import ApiError
from tutor.kubesim.store import StorageError, Store

T = TypeVar("T")
MAX_OBJECTS = 5000
"""Objects one cluster may hold: a lab needs tens; more is a mistake or an attack."""


def utc_now() -> datetime:
    """The clock of a running server."""
    return datetime.now(UTC)


class Clusters:
    """The clusters this process serves.

    :param store: used on one thread of its own: a locked database never holds up the event loop.
    :param scale: the part of a real time-out that simulated pods wait.
    """

    def __init__(self, store: Store, *, scale: float, clock: Clock = utc_now, max_objects: int = MAX_OBJECTS) -> None:
        self.store, self.scale, self.clock, self.max_objects = store, scale, clock, max_objects
        self._clusters: dict[str, Cluster] = {}
        self._loading = asyncio.Lock()
        self.oneoffs = OneOffs(self)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="kubesim-store")

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """Run database work on the writer's thread; its failures become a Status."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, lambda: work(*args))
        except StorageError as e:
            raise ApiError(500, f"the simulated cluster's database refused: {e}; nothing was changed") from e

    async def get(self, cluster_id: str) -> Cluster:
        """A cluster.

        :raises ApiError: 404 when there is none of this id.
        """
        cluster = self._clusters.get(cluster_id)
        if cluster is not None:
            return cluster
        async with self._loading:
            if cluster_id not in self._clusters:
                loaded = await self.run(self.store.load, cluster_id)
                if loaded is None:
                    raise ApiError(404, "this simulated cluster does not exist: its lab has ended", reason="NotFound")
                cluster = self._clusters[cluster_id] = Cluster(cluster_id, loaded)
                for pod in cluster.objects.get("pods", {}).values():
                    self.oneoffs.consider(cluster, pod)
        return self._clusters[cluster_id]

    async def create(self, cluster_id: str) -> Cluster:
        """A cluster with its first content; the present one when it exists."""
        await self.run(self.store.create, cluster_id, self.clock())
        cluster = await self.get(cluster_id)
        if cluster.revision == 0:
            async with self.change(cluster) as t:
                if t.revision == 0:
                    bootstrap.fill(t)
        return cluster

    async def delete(self, cluster_id: str) -> None:
        """Forget a cluster; its watches end."""
        async with self._loading:
            await self.run(self.store.delete, cluster_id)
            cluster = self._clusters.get(cluster_id)
            if cluster is not None:
                self._drop(cluster)

    async def ids(self) -> list[str]:
        """Every cluster there is."""
        return await self.run(self.store.ids)

    @asynccontextmanager
    async def change(self, cluster: Cluster, *, dry_run: bool = False) -> AsyncIterator[Transaction]:
        """One transaction: staged inside the block, then settled by the controllers, committed and announced.

        An error inside the block, or a database that refuses, leaves the cluster as it was.
        """
        async with cluster.lock:
            if cluster.closed:
                raise ApiError(404, "this simulated cluster does not exist: its lab has ended", reason="NotFound")
            t = Transaction(cluster, self.clock())
            yield t
            controllers.settle(t)
            if t.count() > self.max_objects:
                raise ApiError(403, f"exceeded quota: a simulated cluster holds at most {self.max_objects} objects")
            if t.changes and not dry_run:
                work = asyncio.ensure_future(self._commit(cluster, t))
                try:
                    await asyncio.shield(work)
                except asyncio.CancelledError:
                    await asyncio.wait(
                        {work}
                    )  # nobody waits for the answer any more, but what is written must be applied
                    raise

    async def _commit(self, cluster: Cluster, t: Transaction) -> None:
        try:
            await self.run(self.store.commit, cluster.id, t.revision, t.counters, t.changes)
        except ApiError:
            await self._compare(cluster)
            raise
        cluster.apply(t)
        for change in t.changes:
            self.oneoffs.changed(cluster, change)

    async def _compare(self, cluster: Cluster) -> None:
        """After a refused write: keep the cluster in memory only if the disk still says the same."""
        try:
            kept = await self.run(self.store.revision, cluster.id)
        except ApiError:
            kept = None
        if kept != cluster.revision:
            self._drop(cluster)

    def _drop(self, cluster: Cluster) -> None:
        self._clusters.pop(cluster.id, None)
        self.oneoffs.end(cluster)
        cluster.close()

    def end_watches(self) -> None:
        """End every watch and process, so that the server can stop at once."""
        self.oneoffs.close()
        for cluster in self._clusters.values():
            for watcher in cluster.watchers:
                watcher.put_nowait(None)

    def close(self) -> None:
        """Stop the writer and give the database back."""
        self.end_watches()
        self._writer.shutdown(wait=True)
        self.store.close()
