"""A lab's own manifests on its cluster: applied, waited for, removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from tutor.clusters.api import KubeApi, Object, documents
from tutor.clusters.provider import Access
from tutor.content.models import Lab
from tutor.errors import ProvisionError

MANAGER = "kubetutor"
_AVAILABLE_S = 120.0
_GONE_S = 120.0
_POLL_S = 0.25
_FIRST = ("Namespace", "ServiceAccount", "ConfigMap", "Secret")
"""Kinds that others lean on go first."""


@lru_cache(maxsize=32)
def _parsed(manifests: tuple[tuple[str, str], ...]) -> tuple[Object, ...]:
    found = [d for _, text in manifests for d in documents(text)]
    return tuple(sorted(found, key=lambda o: _FIRST.index(o["kind"]) if o["kind"] in _FIRST else len(_FIRST)))


def objects(lab: Lab) -> tuple[Object, ...]:
    """The objects of a lab's manifests, in the order they are written."""
    return _parsed(lab.manifests)


def apply(access: Access, wanted: Sequence[Object]) -> None:
    """Server-side apply of all objects; safe to run again.

    :raises ApiError: an object was refused. :raises ApiUnreachable: no answer.
    """
    with KubeApi(access) as api:
        for obj in wanted:
            api.apply(obj, namespace="default", manager=MANAGER)


def wait_available(
    access: Access,
    lab: Lab,
    wanted: Sequence[Object],
    *,
    give_up: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until every Deployment of the lab has all its replicas available.

    :param give_up: set when nobody needs the lab any more.
    :raises ProvisionError: some were not available in time; they are named.
    """
    names = {
        (str(o["metadata"].get("namespace", "default")), str(o["metadata"]["name"]))
        for o in wanted
        if o["kind"] == "Deployment"
    }
    deadline = clock() + _AVAILABLE_S
    with KubeApi(access) as api:
        while True:
            missing = names - _available(api, sorted({ns for ns, _ in names}))
            if not missing or give_up.is_set():
                return
            if clock() > deadline:
                raise ProvisionError(
                    "These workloads did not start: " + ", ".join("/".join(m) for m in sorted(missing)) + ".",
                    cure="Look at the machine's load and disk, then try again.",
                )
            give_up.wait(_POLL_S)


def _available(api: KubeApi, namespaces: Sequence[str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for namespace in namespaces:
        for item in api.list(f"/apis/apps/v1/namespaces/{namespace}/deployments").get("items", []):
            if _is_available(item):
                found.add((namespace, item["metadata"]["name"]))
    return found


def _is_available(deployment: dict[str, Any]) -> bool:
    status = deployment.get("status") or {}
    seen = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 0))
    return seen and int(status.get("availableReplicas", 0)) >= int(deployment["spec"].get("replicas", 1))


def delete_namespaces(access: Access, lab: Lab, *, clock: Callable[[], float] = time.monotonic) -> None:
    """Delete the lab's namespaces and wait until they are gone.

    :raises ProvisionError: they are not gone in time.
    """
    deadline = clock() + _GONE_S
    wait = threading.Event()
    with KubeApi(access) as api:
        for name in lab.namespaces:
            api.delete(f"/api/v1/namespaces/{name}")
        while any(api.get(f"/api/v1/namespaces/{name}") is not None for name in lab.namespaces):
            if clock() > deadline:
                raise ProvisionError("The lab's namespaces could not be deleted in time.")
            wait.wait(_POLL_S)
