"""Create, read, update, patch and delete one kind of object, as the API server does."""

from __future__ import annotations

import copy
import json
from typing import Any

from tutor.kubesim import admission, ownership, patch, schema, validation
from tutor.kubesim.bootstrap import NAMESPACES
from tutor.kubesim.cluster import Transaction, stamp
from tutor.kubesim.registry import Resource, of_object
from tutor.kubesim.relations import suffix
from tutor.kubesim.status import ApiError, already_exists, conflict, invalid, not_found
from tutor.kubesim.view import Object


def create(
    t: Transaction,
    resource: Resource,
    namespace: str,
    obj: Any,
    *,
    strict: bool,
    manager: str,
    managed: list[dict[str, Any]] | None = None,
) -> Object:
    """POST.

    :param managed: who owns its fields; ``manager`` owns what it names when None.
    :raises ApiError: it is refused.
    """
    obj = validation.decode(resource, obj, strict)
    admission.identify(resource, namespace, obj)
    meta = obj["metadata"]
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"] + suffix(f"{t.cluster.id}/{t.next('name')}", 5)
    if resource.namespaced:
        space = t.get("namespaces", "", namespace)
        if space is None:
            raise not_found("namespaces", "", namespace)
    for key in (
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "generation",
        "selfLink",
        "deletionTimestamp",
        "managedFields",
    ):
        meta.pop(key, None)
    admission.admit(resource, obj)
    validation.check(resource, obj, None)
    if t.get(resource.plural, meta.get("namespace", ""), meta["name"]) is not None:
        raise already_exists(resource.plural, resource.group, meta["name"])
    if "spec" in obj and resource.plural not in ("namespaces", "nodes"):
        meta["generation"] = 1
    if managed is not None:
        meta["managedFields"] = managed
    else:
        ownership.note_update(None, obj, schema.schema_of(resource), manager, stamp(t.now))
    return t.put(resource.plural, obj)


def replace(
    t: Transaction, resource: Resource, before: Object, obj: Any, *, strict: bool, manager: str, sub: str = ""
) -> Object:
    """PUT, and the end of every patch.

    :raises ApiError: it is refused, or the object changed in between (409).
    """
    obj = validation.decode(resource, obj, strict)
    old = before["metadata"]
    admission.identify(resource, old.get("namespace", ""), obj)
    meta = obj["metadata"]
    if meta.get("name", old["name"]) != old["name"]:
        raise ApiError(
            400, f"the name of the object ({meta.get('name')}) does not match the name on the URL ({old['name']})"
        )
    given = meta.get("resourceVersion")
    if given and given != old["resourceVersion"]:
        raise conflict(resource.plural, resource.group, old["name"])
    for key in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion"):
        meta.pop(key, None)
        if key in old:
            meta[key] = old[key]
    if sub == "status":
        obj = {**copy.deepcopy(dict(before)), "status": obj.get("status") or {}}
    else:
        if "status" in before:
            obj["status"] = copy.deepcopy(before["status"])
        admission.keep(resource, before, obj)
        validation.check(resource, obj, before)
        if "generation" in old and obj.get("spec") != before.get("spec"):
            obj["metadata"]["generation"] = old["generation"] + 1
        if obj["metadata"].get("managedFields") is None:
            obj["metadata"]["managedFields"] = copy.deepcopy(old.get("managedFields") or [])
        if manager:
            ownership.note_update(before, obj, schema.schema_of(resource), manager, stamp(t.now))
    if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
        t.delete(resource.plural, old.get("namespace", ""), old["name"])
        gone: Object = obj
        return gone
    return t.put(resource.plural, obj)


def apply_patch(
    t: Transaction,
    resource: Resource,
    namespace: str,
    name: str,
    body: Any,
    kind: str,
    *,
    manager: str,
    force: bool,
    strict: bool,
    sub: str,
) -> tuple[Object, bool]:
    """PATCH of every kind; gives the object and whether it was created (server-side apply may).

    :raises ApiError: it is refused.
    """
    before = t.get(resource.plural, namespace, name)
    if kind == "application/apply-patch+yaml":
        return _server_side(t, resource, namespace, name, before, body, manager=manager, force=force, strict=strict)
    if before is None:
        raise not_found(resource.plural, resource.group, name)
    if kind == "application/strategic-merge-patch+json":
        after = patch.strategic(copy.deepcopy(dict(before)), body, schema.schema_of(resource))
    elif kind == "application/merge-patch+json":
        after = patch.merge(copy.deepcopy(dict(before)), body)
    elif kind == "application/json-patch+json":
        after = patch.json_patch(before, body)
    else:
        raise ApiError(
            415,
            f"the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml ({kind})",
        )
    if not isinstance(after, dict):
        raise ApiError(400, "the patch does not give an object")
    if "resourceVersion" not in ((body.get("metadata") or {}) if isinstance(body, dict) else {}):
        (after.get("metadata") or {}).pop("resourceVersion", None)
    return replace(t, resource, before, after, strict=strict, manager=manager, sub=sub), False


def _server_side(
    t: Transaction,
    resource: Resource,
    namespace: str,
    name: str,
    before: Object | None,
    config: Any,
    *,
    manager: str,
    force: bool,
    strict: bool,
) -> tuple[Object, bool]:
    if not manager:
        raise ApiError(
            400, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        )
    config = validation.decode(resource, config, strict)
    config |= {"apiVersion": resource.api_version, "kind": resource.kind}
    meta = config.setdefault("metadata", {})
    meta.setdefault("name", name)
    if meta.pop("managedFields", None):
        raise ApiError(400, "metadata.managedFields must be nil")
    given = meta.pop("resourceVersion", None)
    if given and before is not None and given != before["metadata"]["resourceVersion"]:
        raise conflict(resource.plural, resource.group, name)
    whole = schema.schema_of(resource)
    merged = ownership.apply(before, config, whole, resource.plural, manager, force, stamp(t.now))
    managed = merged["metadata"]["managedFields"]
    if before is None:
        return create(t, resource, namespace, merged, strict=False, manager=manager, managed=managed), True
    merged["metadata"].pop("resourceVersion", None)
    after = replace(t, resource, before, merged, strict=False, manager="")
    return after, False


def delete(t: Transaction, resource: Resource, namespace: str, name: str, options: dict[str, Any]) -> Object:
    """DELETE. Owned objects go too, unless the policy is Orphan; finalizers keep it until they are cleared.

    :raises ApiError: there is no such object, a precondition fails, or it is one of the system's namespaces.
    """
    before = t.get(resource.plural, namespace, name)
    if before is None:
        raise not_found(resource.plural, resource.group, name)
    wanted = (options.get("preconditions") or {}).get("uid")
    if wanted and wanted != before["metadata"]["uid"]:
        raise conflict(resource.plural, resource.group, name)
    if resource.plural == "namespaces" and name in NAMESPACES:
        raise ApiError(403, f'namespaces "{name}" is forbidden: this namespace may not be deleted')
    if options.get("propagationPolicy") == "Orphan":
        for plural in ("replicasets", "pods"):
            for obj in list(t.list(plural, namespace)):
                references = obj["metadata"].get("ownerReferences") or []
                kept = [r for r in references if r.get("uid") != before["metadata"]["uid"]]
                if kept != references:
                    t.put(plural, {**obj, "metadata": {**obj["metadata"], "ownerReferences": kept}})
    if before["metadata"].get("finalizers"):
        if before["metadata"].get("deletionTimestamp"):
            return before
        return t.put(resource.plural, {**before, "metadata": {**before["metadata"], "deletionTimestamp": stamp(t.now)}})
    t.delete(resource.plural, namespace, name)
    return before


def scale(t: Transaction, resource: Resource, namespace: str, name: str, replicas: Any, version: str = "") -> Object:
    """Set the replicas of a workload.

    :param version: the resourceVersion it must have; any when empty.
    :raises ApiError: there is no such workload, or the number is none.
    """
    before = t.get(resource.plural, namespace, name)
    if before is None:
        raise not_found(resource.plural, resource.group, name)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        shown = json.dumps(replicas)
        text = f"spec.replicas: Invalid value: {shown}: must be greater than or equal to 0"
        raise invalid("Scale", "autoscaling", name, [("spec.replicas", "Invalid value", text)])
    after = {**copy.deepcopy(dict(before)), "spec": {**before["spec"], "replicas": replicas}}
    after["metadata"]["resourceVersion"] = version or before["metadata"]["resourceVersion"]
    return replace(t, resource, before, after, strict=False, manager="kubectl-scale")


def scale_object(obj: Object) -> dict[str, Any]:
    """The autoscaling/v1 Scale of a workload."""
    from tutor.kubesim.table import selector_text

    meta = {k: obj["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": obj["spec"].get("replicas", 1)},
        "status": {
            "replicas": (obj.get("status") or {}).get("replicas", 0),
            "selector": selector_text(obj["spec"]["selector"]),
        },
    }


def put_all(t: Transaction, objects: list[Any]) -> int:
    """Create each object, or replace the one that is there: how a lab is set up in one transaction.

    :raises ApiError: one is refused; the message names it and nothing is kept.
    """
    for i, obj in enumerate(objects):
        resource = of_object(str(obj.get("apiVersion")), str(obj.get("kind"))) if isinstance(obj, dict) else None
        if resource is None:
            raise ApiError(
                400,
                f"object {i}: no kind {obj.get('kind')!r} in version {obj.get('apiVersion')!r}"
                if isinstance(obj, dict)
                else f"object {i} is no object",
            )
        meta = obj.get("metadata")
        if not isinstance(meta, dict):
            raise ApiError(400, f"object {i} ({obj.get('kind')}) has no metadata")
        name = str(meta.get("name"))
        namespace = str(meta.get("namespace") or "default") if resource.namespaced else ""
        try:
            before = t.get(resource.plural, namespace, name)
            if before is None:
                create(t, resource, namespace, obj, strict=True, manager="kubetutor")
            else:
                replace(t, resource, before, obj, strict=True, manager="kubetutor")
        except ApiError as e:
            raise ApiError(e.code, f"object {i} ({obj.get('kind')} {name}): {e.message}", reason=e.reason) from e
    return len(objects)
