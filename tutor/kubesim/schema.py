"""Kubernetes' own schemas (from the ``kubernetes-validate`` package): merge keys, strict fields, OpenAPI documents."""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib.resources
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tutor.kubesim.registry import RESOURCES, Resource

VERSION = "v1.34.0"
_PREFIXES = {
    "": "io.k8s.api.core.v1",
    "apps": "io.k8s.api.apps.v1",
    "networking.k8s.io": "io.k8s.api.networking.v1",
    "discovery.k8s.io": "io.k8s.api.discovery.v1",
}


@functools.cache
def definitions() -> Mapping[str, Any]:
    """Every definition by its full name."""
    package = importlib.resources.files("kubernetes_validate")
    path = package / "kubernetes-json-schema" / f"{VERSION}-local" / "_definitions.json"
    found: Mapping[str, Any] = json.loads(path.read_text())["$defs"]
    return found


def schema_of(resource: Resource) -> Mapping[str, Any]:
    """The schema of one kind."""
    found: Mapping[str, Any] = definitions()[f"{_PREFIXES[resource.group]}.{resource.kind}"]
    return found


def resolve(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, keeping the merge hints that stand beside it."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Mapping[str, Any] = definitions()[reference.rpartition("/")[2]]
    return {**target, **{k: v for k, v in schema.items() if k.startswith("x-")}}


def types(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types a value may have; empty: any."""
    kind = schema.get("type")
    if kind is None and "oneOf" in schema:
        return {t for s in schema["oneOf"] for t in types(s)}
    return set() if kind is None else {kind} if isinstance(kind, str) else set(kind)


_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_GO = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


def unknown_fields(schema: Mapping[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """Fields the schema does not know, as ``spec.foo`` (strict field validation)."""
    schema = resolve(schema)
    if isinstance(value, dict):
        properties = schema.get("properties")
        extra = schema.get("additionalProperties")
        for key, inner in value.items():
            where = f"{path}.{key}" if path else key
            if properties and key in properties:
                yield from unknown_fields(properties[key], inner, where)
            elif isinstance(extra, dict):
                yield from unknown_fields(extra, inner, where)
            elif properties is not None and "x-kubernetes-preserve-unknown-fields" not in schema:
                yield where
    elif isinstance(value, list) and "items" in schema:
        for i, inner in enumerate(value):
            yield from unknown_fields(schema["items"], inner, f"{path}[{i}]")


def decoded(schema: Mapping[str, Any], value: Any) -> Any:
    """A copy of a value as the API server's decoder leaves it: fields it does not know are gone, and so are nulls (a null
    in a list or a map of strings is the empty value of its type)."""
    schema = resolve(schema)
    if isinstance(value, dict):
        properties, extra = schema.get("properties"), schema.get("additionalProperties")
        if properties is None and not isinstance(extra, dict):
            return copy.deepcopy(value)
        out = {}
        for key, inner in value.items():
            if properties and key in properties:
                if inner is not None:
                    out[key] = decoded(properties[key], inner)
            elif isinstance(extra, dict):
                out[key] = _empty(extra) if inner is None else decoded(extra, inner)
            elif "x-kubernetes-preserve-unknown-fields" in schema:
                out[key] = copy.deepcopy(inner)
        return out
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [_empty(items) if inner is None else decoded(items, inner) for inner in value]
    return value


def _empty(schema: Mapping[str, Any]) -> Any:
    kinds = types(resolve(schema))
    return (
        {}
        if "object" in kinds
        else []
        if "array" in kinds
        else 0
        if "integer" in kinds and "string" not in kinds
        else ""
    )


def wrong_type(schema: Mapping[str, Any], value: Any, path: str = "", kind: str = "") -> str | None:
    """The API server's message for the first value whose JSON type cannot be decoded, or None."""
    schema = resolve(schema)
    allowed = types(schema)
    if value is None:
        return None
    if allowed and not _fits(value, allowed):
        want = {"string": "string", "integer": "int32", "boolean": "bool", "array": "[]", "object": "map"}
        name = next((want[t] for t in ("object", "array", "string", "integer", "boolean") if t in allowed), "value")
        return f"json: cannot unmarshal {_GO[type(value)]} into Go struct field {kind}.{path} of type {name}"
    if isinstance(value, dict):
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, inner in value.items():
            below = properties.get(key) or (extra if isinstance(extra, dict) else None)
            if below is not None and (found := wrong_type(below, inner, f"{path}.{key}" if path else key, kind)):
                return found
    if isinstance(value, list) and "items" in schema:
        for inner in value:
            if found := wrong_type(schema["items"], inner, path, kind):
                return found
    return None


def _fits(value: Any, allowed: set[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in allowed
    return any(isinstance(value, _PYTHON[t]) for t in allowed if t in _PYTHON)


# -- OpenAPI v3 ---------------------------------------------------------------------------------------------


@functools.cache
def openapi_index() -> dict[str, Any]:
    """``/openapi/v3``: one document for each group and version, each with its hash."""
    return {"paths": {p: {"serverRelativeURL": f"/openapi/v3/{p}?hash={document_hash(p)}"} for p in _prefixes()}}


def _prefixes() -> list[str]:
    return list(dict.fromkeys(r.prefix for r in RESOURCES))


@functools.cache
def document(prefix: str) -> bytes | None:
    """The OpenAPI v3 document of ``api/v1`` or ``apis/group/version``, as JSON; None for another prefix."""
    resources = [r for r in RESOURCES if r.prefix == prefix]
    if not resources:
        return None
    components: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for resource in resources:
        name = f"{_PREFIXES[resource.group]}.{resource.kind}"
        _add(components, name)
        components[name]["x-kubernetes-group-version-kind"] = [_gvk(resource)]
        middle = "namespaces/{namespace}/" if resource.namespaced else ""
        paths[f"/{prefix}/{middle}{resource.plural}"] = {
            "get": _operation(resource, name, "list"),
            "post": _operation(resource, name, "post", body=True),
        }
        paths[f"/{prefix}/{middle}{resource.plural}/{{name}}"] = {
            "get": _operation(resource, name, "get"),
            "put": _operation(resource, name, "put", body=True),
            "patch": _operation(resource, name, "patch", body=True),
            "delete": _operation(resource, name, "delete"),
        }
    whole = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION},
        "paths": paths,
        "components": {"schemas": components},
    }
    return json.dumps(whole).encode()


@functools.cache
def document_hash(prefix: str) -> str:
    """Changes when the document does: clients keep a document as long as its hash holds."""
    return hashlib.sha256(document(prefix) or b"").hexdigest()[:32].upper()


def _gvk(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _operation(resource: Resource, name: str, action: str, *, body: bool = False) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{name}"}
    out: dict[str, Any] = {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        "parameters": [
            {"name": n, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for n in ("dryRun", "fieldManager", "fieldValidation")
        ],
    }
    if body:
        kinds = ["application/json"]
        if action == "patch":
            kinds = [
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
            ]
        out["requestBody"] = {"content": {k: {"schema": reference} for k in kinds}}
    return out


def _add(components: dict[str, Any], name: str) -> None:
    if name in components:
        return
    components[name] = {}
    components[name] = _convert(definitions()[name], components)


def _convert(node: Any, components: dict[str, Any]) -> Any:
    """JSON Schema as the package ships it -> OpenAPI v3: references renamed, nullable types made plain."""
    if isinstance(node, list):
        return [_convert(n, components) for n in node]
    if not isinstance(node, dict):
        return node
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "$ref":
            name = str(value).rpartition("/")[2]
            _add(components, name)
            out["allOf"] = [{"$ref": f"#/components/schemas/{name}"}]
        elif key == "type" and isinstance(value, list):
            out["type"] = next(v for v in value if v != "null")
        elif key == "enum" and "apiVersion" not in node:
            out[key] = [v for v in value if v is not None]
        else:
            out[key] = _convert(value, components)
    return out
