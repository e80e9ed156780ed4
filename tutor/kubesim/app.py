"""The ASGI application: authentication, the clusters' API below ``/clusters/<id>``, and the admin API."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tutor.kubesim import api, auth, remote, verbs
from tutor.kubesim.service import Clusters
from tutor.kubesim.status import ApiError, no_such_path

log = logging.getLogger("kubesim")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_MAX_BULK = 32 * 1024 * 1024


def create_app(clusters: Clusters, secret: bytes) -> Starlette:
    """The application over some clusters; ``secret`` makes their tokens."""

    async def cluster_api(request: Request) -> Response:
        cluster_id = request.path_params["cluster"]
        user = _user(secret, cluster_id, request.headers.get("authorization", ""))
        cluster = await clusters.get(cluster_id)
        return await api.handle(clusters, cluster, user, request, request.path_params["path"])

    async def cluster_exec(websocket: WebSocket) -> None:
        try:
            cluster_id = websocket.path_params["cluster"]
            _user(secret, cluster_id, websocket.headers.get("authorization", ""))
            cluster = await clusters.get(cluster_id)
            match websocket.path_params["path"].strip("/").split("/"):
                case ["api", "v1", "namespaces", namespace, "pods", name, "exec"]:
                    await remote.exec_(clusters, cluster, websocket, namespace, name)
                case ["api", "v1", "namespaces", namespace, "pods", name, "attach"]:
                    await remote.attach(clusters, cluster, websocket, namespace, name)
                case ["api", "v1", "namespaces", _, "pods", _, "portforward"]:
                    raise ApiError(400, api.NO_PORT_FORWARD)
                case _:
                    raise no_such_path()
        except ApiError as e:
            # Refused with a real HTTP answer, before the handshake: clients show its message.
            await websocket.send_denial_response(JSONResponse(e.body(), e.code))

    async def admin(request: Request) -> Response:
        if auth.user_of(secret, "", request.headers.get("authorization", "")) != "admin":
            raise ApiError(401, "Unauthorized")
        return await _admin(clusters, request)

    routes = [
        Route("/admin/v1/clusters", _guarded(admin), methods=["GET"]),
        Route("/admin/v1/clusters/{cluster}", _guarded(admin), methods=["GET", "PUT", "DELETE"]),
        Route("/admin/v1/clusters/{cluster}/objects", _guarded(admin), methods=["POST"]),
        WebSocketRoute("/clusters/{cluster}/{path:path}", cluster_exec),
        Route("/clusters/{cluster}/{path:path}", _guarded(cluster_api), methods=_METHODS),
        Route("/clusters/{cluster}", _guarded(cluster_api), methods=_METHODS),
        Route("/healthz", lambda _r: Response("ok"), methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: _missing, 405: _no_method})


def _user(secret: bytes, cluster_id: str, header: str) -> str:
    user = auth.user_of(secret, cluster_id, header)
    if user is None:
        raise ApiError(401, "Unauthorized")
    return user


async def _missing(_request: Request, _error: Exception) -> Response:
    return JSONResponse(no_such_path().body(), 404)


async def _no_method(_request: Request, _error: Exception) -> Response:
    e = ApiError(405, "the server does not allow this method on the requested resource")
    return JSONResponse(e.body(), 405)


def _guarded(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Every error leaves as a Status; an unforeseen one is logged and told without its traceback."""

    async def guarded(request: Request) -> Response:
        request.path_params.setdefault("path", "")
        try:
            return await handler(request)
        except ApiError as e:
            return JSONResponse(e.body(), e.code)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is there to read it
        except Exception as e:
            log.exception("unforeseen error at %s %s", request.method, request.url.path)
            return JSONResponse(ApiError(500, f"Internal error occurred: {type(e).__name__}").body(), 500)

    return guarded


async def _admin(clusters: Clusters, request: Request) -> Response:
    cluster_id = request.path_params.get("cluster", "")
    if not cluster_id:
        return JSONResponse({"items": [{"id": i} for i in await clusters.ids()]})
    if not cluster_id.replace("-", "").isalnum() or len(cluster_id) > 64:
        raise ApiError(400, "a cluster's id has at most 64 letters, digits and dashes")
    if request.method == "POST":
        return await _bulk(clusters, cluster_id, request)
    if request.method == "DELETE":
        await clusters.delete(cluster_id)
        return JSONResponse({"id": cluster_id})
    cluster = await (clusters.create(cluster_id) if request.method == "PUT" else clusters.get(cluster_id))
    return JSONResponse({"id": cluster_id, "revision": cluster.revision})


async def _bulk(clusters: Clusters, cluster_id: str, request: Request) -> Response:
    """Create or replace many objects in one transaction."""
    body = await request.body()
    if len(body) > _MAX_BULK:
        raise ApiError(413, f"Request entity too large: limit is {_MAX_BULK}")
    try:
        objects: Any = json.loads(body)
    except ValueError as e:
        raise ApiError(400, f"the request body could not be read: {e}") from e
    objects = objects.get("objects") if isinstance(objects, dict) else objects
    if not isinstance(objects, list):
        raise ApiError(400, "the body must be a list of objects")
    cluster = await clusters.get(cluster_id)
    async with clusters.change(cluster) as t:
        count = verbs.put_all(t, objects)
    return JSONResponse({"objects": count, "revision": cluster.revision})
