"""The log subresource of pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from starlette.responses import Response, StreamingResponse

from tutor.kubesim import flowlog, pods
from tutor.kubesim.cluster import Cluster
from tutor.kubesim.parameters import whole_number
from tutor.kubesim.service import Clusters
from tutor.kubesim.status import ApiError
from tutor.kubesim.view import Object

Line = tuple[datetime, str]
_FOLLOW_STEP_S = 0.25


def container_of(pod: Object, name: str) -> Object:
    """The container meant: the one named, or the only one.

    :raises ApiError: 400, in the API server's words.
    """
    containers = pod["spec"].get("containers") or []
    names = [c["name"] for c in containers]
    if not name and len(containers) == 1:
        only: Object = containers[0]
        return only
    if not name:
        raise ApiError(
            400,
            f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: [{' '.join(names)}]",
        )
    found: Object | None = next((c for c in containers if c["name"] == name), None)
    if found is None:
        raise ApiError(400, f"container {name} is not valid for pod {pod['metadata']['name']}")
    return found


def written(clusters: Clusters, cluster: Cluster, pod: Object, container: Object) -> list[Line] | None:
    """What a process that ended, or will end, wrote; None for one whose log is derived from its traffic."""
    running = clusters.oneoffs.output(cluster, pod, container["name"])
    if running is not None:
        return running
    meta = pod["metadata"]
    kept = cluster.objects.get(pods.OUTPUT, {}).get((meta["namespace"], meta["name"]))
    if kept is None or kept["pod"] != meta["uid"] or container["name"] not in kept["containers"]:
        return None
    return [(datetime.fromisoformat(at), text) for at, text in kept["containers"][container["name"]]]


async def response(clusters: Clusters, cluster: Cluster, pod: Object, query: dict[str, str]) -> Response:
    """Answer ``GET …/log``.

    :raises ApiError: a container that does not exist, a parameter that is wrong, or the log of a previous container (none).
    """
    container = container_of(pod, query.get("container", ""))
    if query.get("previous") == "true":
        refusal = f'previous terminated container "{container["name"]}" in pod "{pod["metadata"]["name"]}" not found'
        raise ApiError(400, refusal)
    now = clusters.clock()
    since = _since(query, whole_number(query, "sinceSeconds"), now)
    tail, limit = whole_number(query, "tailLines"), whole_number(query, "limitBytes")
    stamps = query.get("timestamps") == "true"
    text = _text(_lines(clusters, cluster, pod, container, now, since, tail), stamps)
    if limit is not None:
        text = text[:limit]
    if query.get("follow") != "true":
        return Response(text, media_type="text/plain")
    return StreamingResponse(follow(clusters, cluster, pod, container, text, now, stamps), media_type="text/plain")


def _since(query: dict[str, str], seconds: int | None, now: datetime) -> datetime | None:
    try:
        if query.get("sinceTime"):
            found = datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00"))
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        return None if seconds is None else now - timedelta(seconds=seconds)
    except ValueError as e:
        raise ApiError(400, f'sinceTime: Invalid value: "{query["sinceTime"]}": must be a time in RFC 3339') from e
    except OverflowError:
        return None  # so long ago that it leaves nothing out


def _lines(
    clusters: Clusters,
    cluster: Cluster,
    pod: Object,
    container: Object,
    now: datetime,
    since: datetime | None = None,
    tail: int | None = None,
) -> list[Line]:
    found = written(clusters, cluster, pod, container)
    if found is None:
        return flowlog.lines(cluster.history, pod, container, now=now, since=since, tail=tail)
    found = [(at, line) for at, line in found if since is None or at >= since]
    return found if tail is None else found[-tail:] if tail else []


def _text(found: list[Line], stamps: bool) -> bytes:
    return "".join(
        f"{at.strftime('%Y-%m-%dT%H:%M:%S.%f000Z')} {line}\n" if stamps else f"{line}\n" for at, line in found
    ).encode()


async def follow(
    clusters: Clusters, cluster: Cluster, pod: Object, container: Object, first: bytes, until: datetime, stamps: bool
) -> AsyncIterator[bytes]:
    """What is there, then new lines as they become due; ends with the process, the pod, the cluster or the client."""
    yield first
    meta = pod["metadata"]
    known = written(clusters, cluster, pod, container)
    count = len(known or [])
    while not cluster.closed:
        live = cluster.objects.get("pods", {}).get((meta["namespace"], meta["name"]))
        if live is None or live["metadata"]["uid"] != meta["uid"]:
            return
        ended = "terminated" in pods.state_of(live, container["name"])
        now = clusters.clock()
        found = written(clusters, cluster, live, container)
        if found is not None:
            fresh, count = found[count:], len(found)
            if fresh:
                yield _text(fresh, stamps)
        elif (due := flowlog.next_due(live, container, until)) is not None and now >= due:
            just = timedelta(microseconds=1)
            yield _text(flowlog.lines(cluster.history, live, container, now=now, since=until + just), stamps)
            until = now
        if ended:
            return
        await asyncio.sleep(_FOLLOW_STEP_S)
