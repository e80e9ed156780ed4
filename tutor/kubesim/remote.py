"""``exec`` over WebSocket: channels 0 to 4 of ``v5.channel.k8s.io`` (kubectl) and ``v4`` (the Python client)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from tutor.kubesim.cluster import Cluster
from tutor.kubesim.logs import container_of
from tutor.kubesim.service import Clusters
from tutor.kubesim.shell import execute
from tutor.kubesim.shell.execute import NotExecutable
from tutor.kubesim.status import ApiError, not_found

_STDIN, _ERROR, _CLOSE = 0, 3, 255
_CHUNK = 32 * 1024
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


async def exec_(clusters: Clusters, cluster: Cluster, websocket: WebSocket, namespace: str, name: str) -> None:
    """Run a command in a pod and carry its streams.

    :raises ApiError: refused before the handshake.
    """
    pod = cluster.objects.get("pods", {}).get((namespace, name))
    if pod is None:
        raise not_found("pods", "", name)
    query = websocket.query_params
    container = container_of(pod, query.get("container", ""))
    argv = query.getlist("command")
    if not argv:
        raise ApiError(400, "you must specify at least one command for the container")
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        raise ApiError(
            400, f"cannot exec into a container in a completed pod; current phase is {pod['status']['phase']}"
        )
    offered = websocket.scope.get("subprotocols") or []
    protocol = next((p for p in PROTOCOLS if p in offered), None)
    if protocol is None:
        raise ApiError(400, f"unable to upgrade: one of {', '.join(PROTOCOLS)} is needed")
    await websocket.accept(subprotocol=protocol)
    incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
    reader = asyncio.create_task(_read(websocket, incoming))
    stdin = _stdin(incoming) if query.get("stdin") in ("true", "1") else None
    work = asyncio.create_task(
        execute(
            cluster.view,
            namespace,
            pod,
            container,
            argv,
            stdin,
            query.get("tty") in ("true", "1"),
            lambda stream, data: _send(websocket, stream, data),
            clusters.clock,
            clusters.scale,
        )
    )
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
