"""What the API tells about itself, over HTTP: discovery, OpenAPI, version and health."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tutor.kubesim import discovery, schema
from tutor.kubesim.status import no_such_path


def other(request: Request, path: str) -> Response:
    """Version, health and OpenAPI.

    :raises ApiError: 404 for anything else.
    """
    if path == "version":
        return JSONResponse(discovery.version())
    if path in ("healthz", "livez", "readyz"):
        return Response("ok", media_type="text/plain")
    if path == "openapi/v2":
        # Nobody needs the old form, but kubectl asks for it before it says that it does not know a kind: an empty document.
        return Response(b"", media_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
    if path == "openapi/v3":
        return JSONResponse(schema.openapi_index())
    if path.startswith("openapi/v3/"):
        prefix = path.removeprefix("openapi/v3/")
        document = schema.document(prefix)
        if document is None:
            raise no_such_path()
        tag = schema.document_hash(prefix)
        cached = "public, immutable, max-age=31536000" if request.query_params.get("hash") == tag else "no-cache"
        return Response(document, media_type="application/json", headers={"ETag": f'"{tag}"', "Cache-Control": cached})
    if not path:
        return JSONResponse({"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]})
    raise no_such_path()


def discovered(request: Request, parts: list[str]) -> Response:
    """Groups, versions and kinds, aggregated where the client asks for that.

    :raises ApiError: 404 for a group or version that is not served.
    """
    wants = "apidiscovery.k8s.io" in request.headers.get("accept", "")
    if len(parts) == 1 and wants:
        body = json.dumps(discovery.aggregated(parts[0] == "api"))
        return Response(body, media_type=discovery.AGGREGATED)
    match parts:
        case ["api"]:
            return JSONResponse(discovery.api_versions())
        case ["apis"]:
            return JSONResponse(discovery.api_groups())
        case ["api", "v1"]:
            return JSONResponse(discovery.resource_list(""))
        case ["apis", group] if discovery.has_group(group):
            return JSONResponse(discovery.api_group(group))
        case ["apis", group, "v1"] if discovery.has_group(group):
            return JSONResponse(discovery.resource_list(group))
    raise no_such_path()
