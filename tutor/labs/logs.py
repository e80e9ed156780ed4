"""The workloads' own log lines, kept with the verification that earned a stage: what the report calls log evidence."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tutor.clusters.api import KubeApi
from tutor.clusters.provider import Access
from tutor.content.models import Actor, Lab
from tutor.errors import KubetutorError

_LINES = 12
_TIMEOUT_S = 5.0


def collect(access: Access, lab: Lab) -> list[dict[str, Any]]:
    """The last lines of each actor: ``{"actor", "pod", "ip", "lines"}``; lines are empty and ``"error"`` says why when
    they cannot be had."""
    with KubeApi(access, timeout=_TIMEOUT_S) as api:
        return [_of(api, actor) for actor in lab.actors]


def _of(api: KubeApi, actor: Actor) -> dict[str, Any]:
    try:
        pod = _pod(api, actor)
        if pod is None:
            return {"actor": actor.id, "pod": "", "ip": "", "lines": []}
        name, ip = pod
        path = f"/api/v1/namespaces/{actor.namespace}/pods/{name}/log"
        lines = api.text(path, tailLines=str(_LINES)).splitlines()
    except KubetutorError as e:
        return {"actor": actor.id, "pod": "", "ip": "", "lines": [], "error": e.message}
    return {"actor": actor.id, "pod": f"{actor.namespace}/{name}", "ip": ip, "lines": lines}


def _pod(api: KubeApi, actor: Actor) -> tuple[str, str] | None:
    deployment = api.get(f"/apis/apps/v1/namespaces/{actor.namespace}/deployments/{actor.deployment}")
    if deployment is None:
        return None
    labels = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
    query = urlencode({"labelSelector": ",".join(f"{k}={v}" for k, v in sorted(labels.items()))})
    pods = api.request("GET", f"/api/v1/namespaces/{actor.namespace}/pods?{query}").get("items", [])
    running = sorted(
        (str(p["metadata"]["name"]), str(p["status"].get("podIP", "")))
        for p in pods
        if (p.get("status") or {}).get("phase") == "Running"
    )
    return running[0] if running else None
