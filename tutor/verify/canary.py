"""The verifier's own fresh pods: without labels, in a lab's namespace, made for one verification and removed after it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from tutor.clusters.api import ApiError, ApiUnreachable, KubeApi
from tutor.verify.world import CANARY, CannotCheck, Object, is_ready

PORT = 8080
_READY_S = 30.0
_LEFT_BEHIND = timedelta(minutes=3)
"""No verification takes as long."""


def manifest(namespace: str, name: str) -> dict[str, Any]:
    """A pod that listens and can probe. No labels: what only a selector grants must not reach it."""
    container = {
        "name": "canary",
        "image": "busybox:1.36",
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "sh",
            "-c",
            f"mkdir -p /tmp/site && echo canary >/tmp/site/index.html && exec httpd -f -p {PORT} -h /tmp/site",
        ],
        "ports": [{"containerPort": PORT}],
    }
    spec = {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


@contextlib.contextmanager
def canaries(api: KubeApi, namespaces: Iterable[str]) -> Iterator[dict[str, Object]]:
    """A ready canary in each namespace, removed at the end whatever happens.

    :raises CannotCheck: one does not start.
    """
    made: dict[str, str] = {}
    try:
        for namespace in namespaces:
            name = CANARY + secrets.token_hex(4)
            made[namespace] = name
            try:
                api.request("POST", f"/api/v1/namespaces/{namespace}/pods", manifest(namespace, name))
            except ApiError as e:
                raise CannotCheck(f"the verifier's own pod could not be made in {namespace}: {e.message}") from e
        yield {namespace: _wait(api, namespace, name) for namespace, name in made.items()}
    finally:
        for namespace, name in made.items():
            # Left behind, it is found by its name and removed with the lab.
            with contextlib.suppress(ApiError, ApiUnreachable):
                api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}")


def sweep(api: KubeApi, pods: Iterable[Object], now: datetime) -> None:
    """Remove canaries that a verification which was killed has left behind."""
    for pod in pods:
        meta = pod["metadata"]
        if meta["name"].startswith(CANARY) and now - datetime.fromisoformat(meta["creationTimestamp"]) > _LEFT_BEHIND:
            api.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}")


def _wait(api: KubeApi, namespace: str, name: str) -> Object:
    deadline = time.monotonic() + _READY_S
    pause = 0.01
    while time.monotonic() < deadline:
        pod = api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
        if pod is None:
            raise CannotCheck(f"the verifier's own pod in {namespace} was deleted while it was needed")
        if is_ready(pod):
            return pod
        time.sleep(pause)
        pause = min(pause * 2, 0.5)
    raise CannotCheck(f"the verifier's own pod in {namespace} did not start within {_READY_S:.0f} s")
