"""The HTTP side of one request to a cluster: path and parameters in, the right verb called, a response out."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tutor.kubesim import body as bodies
from tutor.kubesim import documents, logs, patch, reading, remote, reviews, validation, verbs
from tutor.kubesim.call import Call
from tutor.kubesim.cluster import Cluster
from tutor.kubesim.registry import REVIEWS, find
from tutor.kubesim.service import Clusters
from tutor.kubesim.status import ApiError, no_such_path, not_found, success
from tutor.kubesim.view import Object

NO_PORT_FORWARD = "port-forward is not available on a simulated cluster: its pods are no processes; use exec instead"


async def handle(clusters: Clusters, cluster: Cluster, user: str, request: Request, path: str) -> Response:
    """Answer one request below a cluster's prefix.

    :param path: the path after the prefix, without a leading slash.
    :raises ApiError: every answer other than success.
    """
    parts = [p for p in path.split("/") if p]
    if not parts or parts[0] not in ("api", "apis"):
        return documents.other(request, path.strip("/"))
    rest, group = (parts[2:], "") if parts[0] == "api" else (parts[3:], parts[1] if len(parts) > 1 else "")
    if not rest:
        return documents.discovered(request, parts)
    version = parts[1] if parts[0] == "api" else parts[2]
    if (group, rest[0]) in REVIEWS and version == "v1":
        body = bodies.parse(request.headers.get("content-type", ""), await _body(request))
        return JSONResponse(reviews.answer(REVIEWS[(group, rest[0])], group, user, body), 201)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = find(group, version, rest[0])
    if resource is None or len(rest) > 3:
        raise no_such_path()
    name, sub = (rest[1] if len(rest) > 1 else ""), (rest[2] if len(rest) > 2 else "")
    return await _resource(Call(clusters, cluster, user, request, resource, namespace, name, sub))


async def _body(request: Request) -> bytes:
    """The body, up to the server's limit.

    :raises ApiError: 413.
    """
    size = 0
    chunks = []
    async for chunk in request.stream():
        size += len(chunk)
        if size > bodies.MAX_BODY:
            raise ApiError(413, f"Request entity too large: limit is {bodies.MAX_BODY}")
        chunks.append(chunk)
    return b"".join(chunks)


async def _object(call: Call) -> Any:
    """The decoded body."""
    return bodies.parse(call.request.headers.get("content-type", ""), await _body(call.request))


async def _resource(call: Call) -> Response:
    method = call.request.method
    if call.sub:
        return await _subresource(call, method)
    if not call.name:
        match method:
            case "GET" if call.query.get("watch") in ("true", "1"):
                return reading.watched(call)
            case "GET":
                return reading.listed(call)
            case "POST":
                return await _create(call)
            case "DELETE":
                return await _delete_collection(call)
    else:
        match method:
            case "GET":
                return reading.shown(call, reading.found(call))
            case "PUT" | "PATCH":
                return await _update(call)
            case "DELETE":
                return await _delete(call)
    raise ApiError(405, "the server does not allow this method on the requested resource")


async def _create(call: Call) -> Response:
    body = await _object(call)
    if call.resource.namespaced and not call.namespace:
        raise ApiError(405, "the server does not allow this method on the requested resource")
    async with call.clusters.change(call.cluster, dry_run=call.dry_run) as t:
        verbs_made = verbs.create(t, call.resource, call.namespace, body, strict=call.strict, manager=call.manager)
        key = (verbs_made["metadata"].get("namespace", ""), verbs_made["metadata"]["name"])
    return JSONResponse(_after(call, t, key, verbs_made), 201, headers=_warnings(call, body))


def _warnings(call: Call, body: Any) -> dict[str, str]:
    """What is not refused but told: fields the kind does not have (``fieldValidation=Warn``, the default)."""
    if call.query.get("fieldValidation", "Warn") != "Warn" or not isinstance(body, dict):
        return {}
    found = [w for w in validation.warnings(call.resource, body) if "$" not in w]  # directives of a strategic patch
    # One header cannot be repeated here; the list form of RFC 9110 says the same.
    told = ", ".join("299 - " + json.dumps(text, ensure_ascii=True) for text in found[:10])
    return {"Warning": told} if told else {}


def _after(call: Call, t: Any, key: tuple[str, str], made: Object) -> Object:
    """The object as the controllers left it (a service has its address, a pod its node)."""
    return t.get(call.resource.plural, *key) or made


async def _update(call: Call) -> Response:
    kind = bodies.media_type(call.request.headers.get("content-type", ""))
    body = await _object(call)
    created = False
    async with call.clusters.change(call.cluster, dry_run=call.dry_run) as t:
        if call.request.method == "PATCH":
            obj, created = verbs.apply_patch(
                t,
                call.resource,
                call.namespace,
                call.name,
                body,
                kind,
                manager=call.manager,
                force=call.query.get("force") == "true",
                strict=call.strict,
                sub=call.sub,
            )
        else:
            before = t.get(call.resource.plural, call.namespace, call.name)
            if before is None:
                raise not_found(call.resource.plural, call.resource.group, call.name)
            obj = verbs.replace(t, call.resource, before, body, strict=call.strict, manager=call.manager, sub=call.sub)
    answer = _after(call, t, (call.namespace, call.name), obj)
    return JSONResponse(answer, 201 if created else 200, headers=_warnings(call, body))


async def _options(call: Call) -> dict[str, Any]:
    body = await _body(call.request)
    options: Any = bodies.parse(call.request.headers.get("content-type", ""), body) if body.strip() else {}
    if "propagationPolicy" in call.query:
        options = {**(options or {}), "propagationPolicy": call.query["propagationPolicy"]}
    return options if isinstance(options, dict) else {}


async def _delete(call: Call) -> Response:
    options = await _options(call)
    dry = call.dry_run or options.get("dryRun") == ["All"]
    async with call.clusters.change(call.cluster, dry_run=dry) as t:
        gone = verbs.delete(t, call.resource, call.namespace, call.name, options)
        left = t.get(call.resource.plural, call.namespace, call.name)
    if left is not None:
        return JSONResponse(left)
    if call.resource.plural in ("pods", "namespaces"):
        return JSONResponse(gone)
    return JSONResponse(success(call.resource.plural, call.resource.group, call.name, gone["metadata"]["uid"]))


async def _delete_collection(call: Call) -> Response:
    options = await _options(call)
    items = reading.selected(call)
    async with call.clusters.change(call.cluster, dry_run=call.dry_run) as t:
        for obj in items:
            meta = obj["metadata"]
            if t.get(call.resource.plural, meta.get("namespace", ""), meta["name"]) is not None:
                verbs.delete(t, call.resource, meta.get("namespace", ""), meta["name"], options)
    meta = {"resourceVersion": str(t.revision)}
    return JSONResponse(
        {"kind": f"{call.resource.kind}List", "apiVersion": call.resource.api_version, "metadata": meta, "items": items}
    )


async def _subresource(call: Call, method: str) -> Response:
    if call.sub not in call.resource.subresources:
        raise no_such_path()
    if call.sub == "log" and method == "GET":
        return await logs.response(call.clusters, call.cluster, reading.found(call), call.query)
    if call.sub == "status" and method == "GET":
        return reading.shown(call, reading.found(call))
    if call.sub == "status" and method in ("PUT", "PATCH"):
        return await _update(call)
    if call.sub == "scale":
        return await _scale(call, method)
    if call.sub == "token" and method == "POST":
        reading.found(call)
        return JSONResponse(reviews.token_request(call.user, call.namespace, call.name, call.clusters.clock()), 201)
    if call.sub in ("exec", "attach"):
        # An older kubectl comes here after its WebSocket was refused: tell it what was wrong with that.
        remote.target(call.cluster, call.namespace, call.name, call.query.get("container", ""))
        raise ApiError(400, f"Upgrade request required: {call.sub} is served over WebSocket only")
    if call.sub == "portforward":
        raise ApiError(400, NO_PORT_FORWARD)
    raise ApiError(405, "the server does not allow this method on the requested resource")


async def _scale(call: Call, method: str) -> Response:
    if method == "GET":
        return JSONResponse(verbs.scale_object(reading.found(call)))
    body = await _object(call)
    given = body.get("metadata") if isinstance(body, dict) else None
    version = str(given.get("resourceVersion") or "") if isinstance(given, dict) else ""
    if method == "PATCH":
        kind = bodies.media_type(call.request.headers.get("content-type", ""))
        body = (
            patch.json_patch(verbs.scale_object(reading.found(call)), body)
            if kind.startswith("application/json-patch")
            else (patch.merge(verbs.scale_object(reading.found(call)), body))
        )
    elif method != "PUT":
        raise ApiError(405, "the server does not allow this method on the requested resource")
    spec = body.get("spec") if isinstance(body, dict) else None
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    async with call.clusters.change(call.cluster, dry_run=call.dry_run) as t:
        verbs.scale(t, call.resource, call.namespace, call.name, replicas, version)
    obj = t.get(call.resource.plural, call.namespace, call.name)
    if obj is None:
        raise not_found(call.resource.plural, call.resource.group, call.name)
    return JSONResponse(verbs.scale_object(obj))
