"""The log subresource of pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from starlette.responses import Response, StreamingResponse

from tutor.kubesim import flowlog
from tutor.kubesim.cluster import Cluster
from tutor.kubesim.service import Clusters
from tutor.kubesim.status import ApiError
from tutor.kubesim.view import Object

_FOLLOW_STEP_S = 0.25


def container_of(pod: Object, name: str) -> Object:
    """The container meant: the one named, or the only one.

    :raises ApiError: 400, in the API server's words.
    """
    containers = pod["spec"].get("containers") or []
    names = [c["name"] for c in containers]
    if not name and len(containers) == 1:
        return containers[0]  # type: ignore[no-any-return]
    if not name:
        raise ApiError(
            400,
            f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: [{' '.join(names)}]",
        )
    found = next((c for c in containers if c["name"] == name), None)
    if found is None:
        raise ApiError(400, f"container {name} is not valid for pod {pod['metadata']['name']}")
    return found  # type: ignore[no-any-return]


async def response(clusters: Clusters, cluster: Cluster, pod: Object, query: dict[str, str]) -> Response:
    """Answer ``GET …/log``.

    :raises ApiError: a container that does not exist, or the log of a previous one (there is none).
    """
    container = container_of(pod, query.get("container", ""))
    if query.get("previous") == "true":
        refusal = f'previous terminated container "{container["name"]}" in pod "{pod["metadata"]["name"]}" not found'
        raise ApiError(400, refusal)
    now = clusters.clock()
    since = None
    if query.get("sinceSeconds", "").isdigit():
        since = now - timedelta(seconds=int(query["sinceSeconds"]))
    if query.get("sinceTime"):
        since = datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00"))
    tail = int(query["tailLines"]) if query.get("tailLines", "").isdigit() else None
    stamps = query.get("timestamps") == "true"
    found = flowlog.lines(cluster.history, pod, container, now=now, since=since, tail=tail)
    text: bytes = _text(found, stamps)
    if query.get("limitBytes", "").isdigit():
        text = text[: int(query["limitBytes"])]
    if query.get("follow") != "true":
        return Response(text, media_type="text/plain")
    return StreamingResponse(_follow(clusters, cluster, pod, container, text, now, stamps), media_type="text/plain")


def _text(found: list[tuple[datetime, str]], stamps: bool) -> bytes:
    return "".join(
        f"{at.strftime('%Y-%m-%dT%H:%M:%S.%f000Z')} {line}\n" if stamps else f"{line}\n" for at, line in found
    ).encode()


async def _follow(
    clusters: Clusters, cluster: Cluster, pod: Object, container: Object, first: bytes, until: datetime, stamps: bool
) -> AsyncIterator[bytes]:
    """New lines as they become due; ends with the pod, the cluster or the client."""
    yield first
    meta = pod["metadata"]
    while not cluster.closed:
        live = cluster.objects.get("pods", {}).get((meta["namespace"], meta["name"]))
        if live is None or live["metadata"]["uid"] != meta["uid"]:
            return
        due = flowlog.next_due(live, container, until)
        now = clusters.clock()
        if due is None or now < due:
            await asyncio.sleep(_FOLLOW_STEP_S)
            continue
        just = timedelta(microseconds=1)
        yield _text(flowlog.lines(cluster.history, live, container, now=now, since=until + just), stamps)
        until = now
