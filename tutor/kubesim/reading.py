"""GET: one object, a list, a watch."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from tutor.kubesim import selecting, table
from tutor.kubesim.call import Call
from tutor.kubesim.parameters import whole_number
from tutor.kubesim.status import ApiError, not_found
from tutor.kubesim.view import Object
from tutor.kubesim.watch import stream


def found(call: Call) -> Object:
    """The object a path names.

    :raises ApiError: 404.
    """
    obj = call.cluster.objects.get(call.resource.plural, {}).get((call.namespace, call.name))
    if obj is None:
        raise not_found(call.resource.plural, call.resource.group, call.name)
    return obj


def _wants_table(call: Call) -> bool:
    return "as=Table" in call.request.headers.get("accept", "").partition(",application/json")[0]


def shown(call: Call, obj: Object, status: int = 200) -> Response:
    """One object, as a table where the client asks for that."""
    if call.request.method == "GET" and _wants_table(call):
        meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return JSONResponse(table.render(call.resource.plural, [obj], call.clusters.clock(), list_meta=meta))
    return JSONResponse(obj, status)


def selected(call: Call) -> list[Object]:
    """Objects of the kind that the request's selectors match, in the order of their names."""
    query = call.query
    items = [
        o
        for (ns, _), o in sorted(call.cluster.objects.get(call.resource.plural, {}).items())
        if not call.namespace or ns == call.namespace
    ]
    if query.get("labelSelector"):
        matches = selecting.labels(query["labelSelector"])
        items = [o for o in items if matches(o)]
    if query.get("fieldSelector"):
        matches = selecting.fields(call.resource.plural, query["fieldSelector"])
        items = [o for o in items if matches(o)]
    return items


def listed(call: Call) -> Response:
    """A collection, whole or a piece of it.

    :raises ApiError: 400 for a parameter that cannot be used.
    """
    items = selected(call)
    meta: dict[str, Any] = {"resourceVersion": str(call.cluster.revision)}
    limit, start = whole_number(call.query, "limit") or 0, call.query.get("continue", "")
    if start:
        items = [o for o in items if [o["metadata"].get("namespace", ""), o["metadata"]["name"]] > _token(start)]
    if limit and len(items) > limit:
        last = items[limit - 1]["metadata"]
        meta |= {
            "continue": json.dumps([last.get("namespace", ""), last["name"]]).encode().hex(),
            "remainingItemCount": len(items) - limit,
        }
        items = items[:limit]
    if _wants_table(call):
        include = call.query.get("includeObject", "Metadata")
        return JSONResponse(
            table.render(call.resource.plural, items, call.clusters.clock(), list_meta=meta, include=include)
        )
    body = {
        "kind": f"{call.resource.kind}List",
        "apiVersion": call.resource.api_version,
        "metadata": meta,
        "items": items,
    }
    return JSONResponse(body)


def _token(text: str) -> list[str]:
    try:
        value = json.loads(bytes.fromhex(text))
    except ValueError as e:
        raise ApiError(400, "continue key is not valid") from e
    if not isinstance(value, list):
        raise ApiError(400, "continue key is not valid")
    return [str(v) for v in value]


def watched(call: Call) -> Response:
    """A collection's changes, as they happen."""
    lines = stream(
        call.clusters,
        call.cluster,
        call.resource,
        call.namespace,
        call.query,
        as_table=_wants_table(call),
    )
    return StreamingResponse(lines, media_type="application/json", headers={"Cache-Control": "no-cache, private"})
