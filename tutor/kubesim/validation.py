"""What the API server refuses, in its own words: names, labels, and the fields a kind cannot do without."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tutor.kubesim import schema
from tutor.kubesim.registry import Resource
from tutor.kubesim.selecting import LabelSelector
from tutor.kubesim.status import ApiError, invalid
from tutor.kubesim.view import Object
from tutor.policy import validate as validate_policy
from tutor.policy.validate import label_errors, label_selector_errors

Error = tuple[str, str, str]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_MAX_ANNOTATIONS = 262_144
_MAX_DATA = 1_048_576
_LABEL_NAMED = {"namespaces", "services"}


def decode(resource: Resource, obj: Any, strict: bool) -> dict[str, Any]:
    """A body as an object of its kind. What is refused here is refused before anything else: wrong JSON types, another
    kind, and unknown fields when strict.

    :raises ApiError: 400 with the decoder's message.
    """
    if not isinstance(obj, dict):
        raise ApiError(400, "couldn't get version/kind; json parse error: the body is not an object")
    if obj.get("kind") not in (None, resource.kind) or obj.get("apiVersion") not in (None, resource.api_version):
        raise ApiError(
            400,
            f"the object provided is unrecognized (must be of type {resource.kind}): "
            f"{obj.get('kind')} in version {obj.get('apiVersion')} cannot be handled as a {resource.kind}",
        )
    whole = schema.schema_of(resource)
    refusal = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
    found = schema.wrong_type(whole, obj, kind=resource.kind)
    if found:
        raise ApiError(400, refusal + found)
    if strict and (unknown := warnings(resource, obj)):
        raise ApiError(400, f"{refusal}strict decoding error: {', '.join(unknown)}")
    out: dict[str, Any] = schema.decoded(whole, obj)
    return out


def warnings(resource: Resource, obj: Any) -> list[str]:
    """What strict field validation refuses and the default one only warns of."""
    return [f'unknown field "{p}"' for p in schema.unknown_fields(schema.schema_of(resource), obj)]


def check(resource: Resource, obj: dict[str, Any], before: Object | None) -> None:
    """Validate an object that is about to be stored.

    :raises ApiError: 422 with every field error.
    """
    errors = list(_metadata(resource, obj))
    spec = obj.get("spec") or {}
    match resource.plural:
        case "networkpolicies":
            errors += [(e.path, e.type, e.message) for e in validate_policy(obj)]
        case "pods":
            errors += list(_pod_spec(spec, "spec"))
        case "deployments" | "replicasets":
            errors += list(_workload(spec, before))
        case "services":
            errors += list(_service(spec))
        case "configmaps" | "secrets":
            errors += list(_keys(obj, encoded=resource.plural == "secrets"))
    if before is not None and resource.plural == "pods" and not errors:
        errors += list(_immutable_pod(obj, before))
    if errors:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), errors)


def _metadata(resource: Resource, obj: dict[str, Any]) -> Iterator[Error]:
    meta = obj["metadata"]
    name = str(meta.get("name") or "")
    pattern, text, limit = (
        (_LABEL, _LABEL_TEXT, 63) if resource.plural in _LABEL_NAMED else (_SUBDOMAIN, _SUBDOMAIN_TEXT, 253)
    )
    if not name:
        yield "metadata.name", "Required value", "metadata.name: Required value: name or generateName is required"
    elif len(name) > limit:
        yield (
            "metadata.name",
            "Invalid value",
            f'metadata.name: Invalid value: "{name}": must be no more than {limit} characters',
        )
    elif not pattern.match(name):
        yield "metadata.name", "Invalid value", f'metadata.name: Invalid value: "{name}": {text}'
    for e in label_errors(meta.get("labels") or {}, "metadata.labels"):
        yield e.path, e.type, e.message
    annotations = meta.get("annotations") or {}
    for e in label_errors(dict.fromkeys((str(k).lower() for k in annotations), ""), "metadata.annotations"):
        yield e.path, e.type, e.message
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > _MAX_ANNOTATIONS:
        text = f"metadata.annotations: Too long: may not be more than {_MAX_ANNOTATIONS} bytes"
        yield "metadata.annotations", "Too long", text


def _pod_spec(spec: dict[str, Any], path: str) -> Iterator[Error]:
    containers = spec.get("containers") or []
    if not containers:
        yield f"{path}.containers", "Required value", f"{path}.containers: Required value"
    seen: set[str] = set()
    volumes = {v.get("name") for v in spec.get("volumes") or []}
    for i, c in enumerate(containers):
        where = f"{path}.containers[{i}]"
        name = str(c.get("name") or "")
        if not name:
            yield f"{where}.name", "Required value", f"{where}.name: Required value"
        elif not _LABEL.match(name):
            yield f"{where}.name", "Invalid value", f'{where}.name: Invalid value: "{name}": {_LABEL_TEXT}'
        elif name in seen:
            yield f"{where}.name", "Duplicate value", f'{where}.name: Duplicate value: "{name}"'
        seen.add(name)
        if not c.get("image"):
            yield f"{where}.image", "Required value", f"{where}.image: Required value"
        for j, port in enumerate(c.get("ports") or []):
            number = port.get("containerPort") or 0
            if not 1 <= number <= 65535:
                yield (
                    f"{where}.ports[{j}].containerPort",
                    "Invalid value",
                    f"{where}.ports[{j}].containerPort: Invalid value: {number}: must be between 1 and 65535, inclusive",
                )
        for j, mount in enumerate(c.get("volumeMounts") or []):
            if mount.get("name") not in volumes:
                place = f"{where}.volumeMounts[{j}].name"
                yield place, "Not found", f'{place}: Not found: "{mount.get("name")}"'


def _workload(spec: dict[str, Any], before: Object | None) -> Iterator[Error]:
    selector, template = spec.get("selector"), spec.get("template") or {}
    if (spec.get("replicas") or 0) < 0:
        text = f"spec.replicas: Invalid value: {spec['replicas']}: must be greater than or equal to 0"
        yield "spec.replicas", "Invalid value", text
    if not selector:
        yield "spec.selector", "Required value", "spec.selector: Required value"
    else:
        for e in label_selector_errors(selector, "spec.selector"):
            yield e.path, e.type, e.message
        labels = (template.get("metadata") or {}).get("labels") or {}
        if not LabelSelector(selector).matches(labels):
            shown = "{" + ",".join(f'"{k}":"{v}"' for k, v in sorted(labels.items())) + "}"
            text = f"spec.template.metadata.labels: Invalid value: {shown}: `selector` does not match template `labels`"
            yield "spec.template.metadata.labels", "Invalid value", text
        if before is not None and before["spec"].get("selector") != selector:
            shown = json.dumps(selector, separators=(",", ":"))
            yield "spec.selector", "Invalid value", f"spec.selector: Invalid value: {shown}: field is immutable"
    for e in label_errors((template.get("metadata") or {}).get("labels") or {}, "spec.template.labels"):
        yield e.path, e.type, e.message
    yield from _pod_spec(template.get("spec") or {}, "spec.template.spec")


def _service(spec: dict[str, Any]) -> Iterator[Error]:
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield "spec.ports", "Required value", "spec.ports: Required value"
    for i, port in enumerate(ports):
        number = port.get("port") or 0
        if not 1 <= number <= 65535:
            text = f"spec.ports[{i}].port: Invalid value: {number}: must be between 1 and 65535, inclusive"
            yield f"spec.ports[{i}].port", "Invalid value", text
        if len(ports) > 1 and not port.get("name"):
            yield f"spec.ports[{i}].name", "Required value", f"spec.ports[{i}].name: Required value"


def _keys(obj: dict[str, Any], *, encoded: bool) -> Iterator[Error]:
    """Keys and the size of a ConfigMap's or Secret's data. ``encoded``: all of it is base64."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    size = sum(len(v) * 3 // 4 if encoded else len(v.encode()) for v in data.values())
    if size + sum(len(v) * 3 // 4 for v in binary.values()) > _MAX_DATA:
        where = "data" if encoded else "[]"
        yield where, "Too long", f"{where}: Too long: may not be more than {_MAX_DATA} bytes"
    for key in data:
        if not re.match(r"[-._a-zA-Z0-9]+\Z", key) or len(key) > 253:
            text = (
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
                "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            )
            yield f"data[{key}]", "Invalid value", f'data[{key}]: Invalid value: "{key}": {text}'


def _immutable_pod(obj: dict[str, Any], before: Object) -> Iterator[Error]:
    """A pod's spec is fixed but for its images and a few fields nobody here needs."""

    def fixed(o: Object) -> Any:
        spec = {k: v for k, v in o["spec"].items() if k not in ("tolerations", "activeDeadlineSeconds")}
        spec["containers"] = [{k: v for k, v in c.items() if k != "image"} for c in spec.get("containers") or []]
        return spec

    if fixed(obj) != fixed(before):
        text = (
            "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        yield "spec", "Forbidden", text
