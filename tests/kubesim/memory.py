"""Simulated clusters without a server: what unit tests of the core work on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from tutor.kubesim import bootstrap, controllers, verbs
from tutor.kubesim.cluster import Cluster, Transaction
from tutor.kubesim.registry import BY_PLURAL
from tutor.kubesim.service import Clusters
from tutor.kubesim.store import Loaded, Store

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Goes on one second whenever it is asked."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@asynccontextmanager
async def clusters(url: str, **more: Any) -> AsyncIterator[Clusters]:
    """The clusters of a database, given back afterwards."""
    found = Clusters(Store(url), scale=0.01, **more)
    try:
        yield found
    finally:
        found.close()


def sqlite(directory: Path) -> str:
    return f"sqlite:///{directory / 'clusters.db'}"


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run an asynchronous test."""

    async def main() -> T:
        return await work()

    return asyncio.run(main())


async def create(
    where: Clusters, cluster: Cluster, plural: str, obj: dict[str, Any], namespace: str = "default"
) -> None:
    """POST, committed."""
    async with where.change(cluster) as t:
        verbs.create(
            t, BY_PLURAL[plural], namespace if BY_PLURAL[plural].namespaced else "", obj, strict=True, manager="test"
        )


async def remove(where: Clusters, cluster: Cluster, plural: str, name: str, namespace: str = "default") -> None:
    """DELETE, committed."""
    async with where.change(cluster) as t:
        verbs.delete(t, BY_PLURAL[plural], namespace if BY_PLURAL[plural].namespaced else "", name, {})


def transaction() -> Transaction:
    """A transaction over a new cluster that nobody else sees."""
    cluster = Cluster("memory", Loaded(0, START, {}, []))
    t = Transaction(cluster, START)
    bootstrap.fill(t)
    controllers.settle(t)
    return t
