"""Watches: every change after a resourceVersion, in order, none lost, as JSON lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from tutor.kubesim import selecting, table
from tutor.kubesim.cluster import Cluster
from tutor.kubesim.parameters import whole_number
from tutor.kubesim.registry import Resource
from tutor.kubesim.service import Clusters
from tutor.kubesim.status import ApiError
from tutor.kubesim.store import Change
from tutor.kubesim.view import Object

_DEFAULT_S = 3600
_BOOKMARK_S = 60.0


async def stream(
    clusters: Clusters,
    cluster: Cluster,
    resource: Resource,
    namespace: str,
    query: dict[str, str],
    *,
    as_table: bool,
) -> AsyncIterator[bytes]:
    """The body of a watch request, until its time is over, the cluster ends or the client leaves."""
    encode = _encoder(clusters, resource, as_table, query.get("includeObject", "Metadata"))
    try:
        matches = _matcher(resource, namespace, query)
        seconds = min(whole_number(query, "timeoutSeconds") or _DEFAULT_S, _DEFAULT_S)
        backlog, initial = _begin(cluster, resource, query)
    except ApiError as e:
        yield _line("ERROR", e.body())
        return
    queue: asyncio.Queue[Change | None] = asyncio.Queue()
    cluster.watchers.add(queue)
    try:
        yield b""  # sends the headers
        if cluster.closed:
            return
        for obj in initial:
            if matches(obj):
                yield encode("ADDED", obj)
        if query.get("sendInitialEvents") == "true":
            yield _bookmark(resource, cluster.revision, initial_end=True)
        for change in backlog:
            if event := _event(change, resource, matches):
                yield encode(*event)
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            try:
                received = await asyncio.wait_for(queue.get(), min(left, _BOOKMARK_S))
            except TimeoutError:
                if query.get("allowWatchBookmarks") == "true":
                    yield _bookmark(resource, cluster.revision)
                continue
            if received is None:
                return
            if event := _event(received, resource, matches):
                yield encode(*event)
    finally:
        cluster.watchers.discard(queue)


def _begin(cluster: Cluster, resource: Resource, query: dict[str, str]) -> tuple[list[Change], list[Object]]:
    """Changes to replay, and objects to send first. Runs without a pause, so nothing falls between it and the queue."""
    given = query.get("resourceVersion", "")
    if given and not (given.isascii() and given.isdigit() and len(given) < 19):
        raise ApiError(400, f'invalid resource version "{given}"')
    present = [o for _, o in sorted(cluster.objects.get(resource.plural, {}).items())]
    if query.get("sendInitialEvents") == "true" or given in ("", "0"):
        return [], present
    since = int(given)
    if since < cluster.window_start:
        raise ApiError(410, f"too old resource version: {since} ({cluster.window_start})")
    return [c for c in cluster.window if c.revision > since], []


def _matcher(resource: Resource, namespace: str, query: dict[str, str]) -> Callable[[Object], bool]:
    tests: list[Callable[[Object], bool]] = []
    if namespace:
        tests.append(lambda o: o["metadata"].get("namespace") == namespace)
    if query.get("labelSelector"):
        tests.append(selecting.labels(query["labelSelector"]))
    if query.get("fieldSelector"):
        tests.append(selecting.fields(resource.plural, query["fieldSelector"]))
    return lambda o: all(test(o) for test in tests)


def _event(change: Change, resource: Resource, matches: Callable[[Object], bool]) -> tuple[str, Object] | None:
    """What a change is to this watch: an object that stops matching is deleted, one that begins to is added."""
    if change.plural != resource.plural:
        return None
    was = change.before is not None and matches(change.before)
    now = change.after is not None and matches(change.after)
    if now and change.after is not None:
        return ("MODIFIED" if was else "ADDED", change.after)
    if was and change.before is not None:
        last = change.after or change.before
        meta = {**last["metadata"], "resourceVersion": str(change.revision)}
        return ("DELETED", {**last, "metadata": meta})
    return None


def _encoder(clusters: Clusters, resource: Resource, as_table: bool, include: str) -> Callable[[str, Object], bytes]:
    def encode(kind: str, obj: Object) -> bytes:
        if not as_table:
            return _line(kind, obj)
        meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return _line(kind, table.render(resource.plural, [obj], clusters.clock(), list_meta=meta, include=include))

    return encode


def _line(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def _bookmark(resource: Resource, revision: int, *, initial_end: bool = False) -> bytes:
    meta: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return _line("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta})
