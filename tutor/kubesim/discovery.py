"""What the API says it has: ``/api``, ``/apis`` (aggregated and legacy), ``/version``."""

from __future__ import annotations

from typing import Any

from tutor.kubesim.registry import GROUPS, RESOURCES, REVIEWS, VERBS, Resource
from tutor.kubesim.schema import VERSION

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def version() -> dict[str, str]:
    """``/version``."""
    major, minor, _ = VERSION.lstrip("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{VERSION}+kubetutor.simulated",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "simulated",
    }


def _groups() -> list[str]:
    return [*GROUPS, *dict.fromkeys(g for g, _ in REVIEWS)]


def _kind(group: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": "v1", "kind": kind}


def aggregated(core: bool) -> dict[str, Any]:
    """The aggregated discovery document of ``/api`` (core) or ``/apis``."""
    items = []
    for group in [""] if core else _groups():
        resources: list[dict[str, Any]] = [_aggregated_resource(r) for r in RESOURCES if r.group == group]
        resources += [
            {
                "resource": plural,
                "responseKind": _kind(g, kind),
                "scope": "Cluster",
                "singularResource": kind.lower(),
                "verbs": ["create"],
            }
            for (g, plural), kind in REVIEWS.items()
            if g == group
        ]
        meta = {"name": group} if group else {}
        items.append(
            {"metadata": meta, "versions": [{"version": "v1", "freshness": "Current", "resources": resources}]}
        )
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_resource(r: Resource) -> dict[str, Any]:
    out: dict[str, Any] = {
        "resource": r.plural,
        "responseKind": _kind(r.group, r.kind),
        "scope": "Namespaced" if r.namespaced else "Cluster",
        "singularResource": r.singular,
        "verbs": list(VERBS),
    }
    if r.short:
        out["shortNames"] = list(r.short)
    if r.categories:
        out["categories"] = list(r.categories)
    if r.subresources:
        out["subresources"] = [
            {"subresource": s, "responseKind": _kind(*_subresource_kind(r, s)), "verbs": _subresource_verbs(s)}
            for s in r.subresources
        ]
    return out


def _subresource_kind(r: Resource, sub: str) -> tuple[str, str]:
    return {"scale": ("autoscaling", "Scale"), "token": ("authentication.k8s.io", "TokenRequest")}.get(
        sub, (r.group, r.kind)
    )


def _subresource_verbs(sub: str) -> list[str]:
    return {
        "log": ["get"],
        "exec": ["create", "get"],
        "attach": ["create", "get"],
        "portforward": ["create", "get"],
        "token": ["create"],
    }.get(sub, ["get", "patch", "update"])


def api_versions() -> dict[str, Any]:
    """Legacy ``/api``."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def api_groups() -> dict[str, Any]:
    """Legacy ``/apis``."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [api_group(g) for g in _groups()]}


def api_group(group: str) -> dict[str, Any]:
    """Legacy ``/apis/<group>``."""
    version_ = {"groupVersion": f"{group}/v1", "version": "v1"}
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": [version_], "preferredVersion": version_}


def resource_list(group: str) -> dict[str, Any]:
    """Legacy ``/api/v1`` or ``/apis/<group>/v1``."""
    resources: list[dict[str, Any]] = []
    for r in (r for r in RESOURCES if r.group == group):
        entry: dict[str, Any] = {
            "name": r.plural,
            "singularName": r.singular,
            "namespaced": r.namespaced,
            "kind": r.kind,
            "verbs": list(VERBS),
        }
        if r.short:
            entry["shortNames"] = list(r.short)
        if r.categories:
            entry["categories"] = list(r.categories)
        resources.append(entry)
        for s in r.subresources:
            kind = _subresource_kind(r, s)[1]
            resources.append(
                {
                    "name": f"{r.plural}/{s}",
                    "singularName": "",
                    "namespaced": r.namespaced,
                    "kind": kind,
                    "verbs": _subresource_verbs(s),
                }
            )
    for (g, plural), kind in REVIEWS.items():
        if g == group:
            resources.append(
                {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
            )
    version_ = f"{group}/v1" if group else "v1"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version_, "resources": resources}


def has_group(group: str) -> bool:
    """Whether a group is served."""
    return group in _groups()
