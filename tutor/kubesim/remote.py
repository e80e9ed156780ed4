"""``exec`` and ``attach`` over WebSocket: channels 0 to 4 of ``v5.channel.k8s.io`` (kubectl) and ``v4`` (the Python client)."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from tutor.kubesim import images, logs
from tutor.kubesim.cluster import Cluster
from tutor.kubesim.oneoff import Output, finished
from tutor.kubesim.service import Clusters
from tutor.kubesim.shell import execute
from tutor.kubesim.shell.execute import NotExecutable
from tutor.kubesim.status import ApiError, not_found
from tutor.kubesim.view import Object

_STDIN, _ERROR, _CLOSE = 0, 3, 255
_CHUNK = 32 * 1024
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


async def exec_(clusters: Clusters, cluster: Cluster, websocket: WebSocket, namespace: str, name: str) -> None:
    """Run a command in a pod and carry its streams.

    :raises ApiError: refused before the handshake.
    """
    pod, container = _offered(cluster, websocket, namespace, name)
    argv = websocket.query_params.getlist("command")
    if not argv:
        raise ApiError(400, "you must specify at least one command for the container")

    def run(stdin: AsyncIterator[bytes] | None, tty: bool) -> Coroutine[Any, Any, int]:
        send = functools.partial(_send, websocket)
        return execute(cluster.view, namespace, pod, container, argv, stdin, tty, send, clusters.clock, clusters.scale)

    await _session(websocket, run)


async def attach(clusters: Clusters, cluster: Cluster, websocket: WebSocket, namespace: str, name: str) -> None:
    """Join a container: one that waits for input runs its process now, with these streams (``kubectl run -i``); of any
    other its log is shown from now on.

    :raises ApiError: refused before the handshake.
    """
    pod, container = _offered(cluster, websocket, namespace, name)
    argv = list(images.process(container).argv)

    async def run(stdin: AsyncIterator[bytes] | None, tty: bool) -> int:
        if not container.get("stdin") or stdin is None:
            async for text in logs.follow(clusters, cluster, pod, container, b"", clusters.clock(), stamps=False):
                await _send(websocket, 1, text)
            return 0
        output, message = Output(clusters.clock), ""

        async def both(stream: int, data: bytes) -> None:
            await output.write(stream, data)
            await _send(websocket, stream, data)

        try:
            code = await execute(
                cluster.view, namespace, pod, container, argv, stdin, tty, both, clusters.clock, clusters.scale
            )
        except NotExecutable as e:
            code, message = 128, str(e)
            await _send(websocket, 2, f"{message}\n".encode())
        await finished(clusters, cluster, pod, container["name"], code, output, message)
        return 0

    # Whatever the process ended with, attaching went well: kubectl reads the exit code from the pod's state.
    await _session(websocket, run)


def target(cluster: Cluster, namespace: str, name: str, container: str) -> tuple[Object, Object]:
    """The pod and container meant.

    :raises ApiError: there is none, or it has ended.
    """
    pod = cluster.objects.get("pods", {}).get((namespace, name))
    if pod is None:
        raise not_found("pods", "", name)
    found = logs.container_of(pod, container)
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        text = f"cannot exec into a container in a completed pod; current phase is {pod['status']['phase']}"
        raise ApiError(400, text)
    return pod, found


def _offered(cluster: Cluster, websocket: WebSocket, namespace: str, name: str) -> tuple[Object, Object]:
    found = target(cluster, namespace, name, websocket.query_params.get("container", ""))
    if not set(PROTOCOLS) & set(websocket.scope.get("subprotocols") or []):
        raise ApiError(400, f"unable to upgrade: one of {', '.join(PROTOCOLS)} is needed")
    return found


async def _session(
    websocket: WebSocket, run: Callable[[AsyncIterator[bytes] | None, bool], Coroutine[Any, Any, int]]
) -> None:
    """Shake hands, carry the streams of one piece of work, and say how it ended."""
    offered = websocket.scope.get("subprotocols") or []
    await websocket.accept(subprotocol=next(p for p in PROTOCOLS if p in offered))
    incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
    reader = asyncio.create_task(_read(websocket, incoming))
    query = websocket.query_params
    stdin = _stdin(incoming) if query.get("stdin") in ("true", "1") else None
    work = asyncio.create_task(run(stdin, query.get("tty") in ("true", "1")))
    try:
        # The reader ends when the client leaves: then nobody waits for the command.
        await asyncio.wait({work, reader}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return
        await websocket.send_bytes(bytes([_ERROR]) + json.dumps(_status(work)).encode())
        await websocket.close()
    except (WebSocketDisconnect, RuntimeError):
        return  # the client left while the end was being sent
    finally:
        for task in (work, reader):
            task.cancel()
        await asyncio.gather(work, reader, return_exceptions=True)


def _status(work: asyncio.Task[int]) -> dict[str, Any]:
    error = work.exception()
    if isinstance(error, NotExecutable):
        text = f"OCI runtime exec failed: exec failed: unable to start container process: {error}: unknown"
        return {
            "metadata": {},
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "message": f"command terminated with non-zero exit code: {text}",
        } | {"details": {"causes": [{"reason": "ExitCode", "message": "127"}]}}
    if error is not None:
        return {
            "metadata": {},
            "status": "Failure",
            "reason": "InternalError",
            "message": f"the simulated pod failed: {error}",
            "code": 500,
        }
    code = work.result()
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


async def _read(websocket: WebSocket, incoming: asyncio.Queue[bytes | None]) -> None:
    """Always keeps reading, so that the client's pings are answered; ends when it leaves."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            await incoming.put(None)
            return
        data: bytes = message.get("bytes") or (message.get("text") or "").encode()
        if not data:
            continue
        if data[0] == _STDIN and len(data) > 1:
            await incoming.put(data[1:])
        elif data[0] == _CLOSE and data[1:2] == b"\0":
            await incoming.put(None)


async def _stdin(incoming: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (chunk := await incoming.get()) is not None:
        yield chunk


async def _send(websocket: WebSocket, stream: int, data: bytes) -> None:
    for at in range(0, len(data), _CHUNK):
        await websocket.send_bytes(bytes([stream]) + data[at : at + _CHUNK])
        # Without this a client killed in the middle of a large output holds up every other request.
        await asyncio.sleep(0)
