"""Watches one lab's cluster and says when something that a check may depend on has changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tutor.clusters.api import ApiError, KubeApi
from tutor.clusters.provider import Access
from tutor.errors import KubetutorError

WATCHED = (
    "/api/v1/namespaces",
    "/api/v1/pods",
    "/apis/apps/v1/deployments",
    "/apis/networking.k8s.io/v1/networkpolicies",
)
_OWN_PODS = "kubetutor-canary-"
_OWN_NAMESPACES = "kubetutor-preflight"
_WATCH_S = 30.0
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_QUIET_S = 0.3
_AT_MOST_S = 2.0
logger = logging.getLogger(__name__)


def gist(obj: Mapping[str, Any]) -> object:
    """What of an object matters to checks. Status that only counts up (times, probes) is left out."""
    meta, spec, status = obj.get("metadata") or {}, obj.get("spec") or {}, obj.get("status") or {}
    ready = [c.get("status") for c in status.get("conditions") or [] if c.get("type") in ("Ready", "Available")]
    return (
        meta.get("uid"),
        meta.get("labels"),
        bool(meta.get("deletionTimestamp")),
        spec,
        status.get("phase"),
        status.get("podIP"),
        status.get("availableReplicas"),
        ready,
    )


def matters(obj: Mapping[str, Any], namespaces: frozenset[str]) -> bool:
    """Whether an object belongs to the lab, and is none that a check made itself."""
    meta = obj.get("metadata") or {}
    name = str(meta.get("name", ""))
    namespace = str(meta.get("namespace") or name)
    if namespace.startswith(_OWN_NAMESPACES) or name.startswith(_OWN_PODS):
        return False
    return namespace in namespaces


class LabWatch:
    """Threads that watch one cluster and call ``on_change`` when it has been quiet for a moment after a change.

    :param access: gives the credential, again after each failure (the cluster may be gone).
    :param on_change: runs in a thread of the watch; a ``KubetutorError`` from it is logged.
    """

    def __init__(
        self, name: str, access: Callable[[], Access], namespaces: frozenset[str], on_change: Callable[[], None]
    ) -> None:
        self._name = name
        self._access = access
        self._namespaces = namespaces
        self._on_change = on_change
        self._changed = threading.Event()
        self._stopped = threading.Event()
        self._listed = {path: threading.Event() for path in WATCHED}
        self._threads = [threading.Thread(target=self._check, name=f"check-{name}", daemon=True)] + [
            threading.Thread(target=self._watch, args=(path,), name=f"watch-{name}", daemon=True) for path in WATCHED
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask the threads to end; those in a watch end with it, within half a minute."""
        self._stopped.set()
        self._changed.set()

    def wait_listed(self, seconds: float) -> bool:
        """Wait until every kind was read once: a change after that is seen."""
        return all(event.wait(seconds) for event in self._listed.values())

    def _check(self) -> None:
        while True:
            self._changed.wait()
            if self._stopped.is_set():
                return
            self._settle()
            try:
                self._on_change()
            except KubetutorError as e:
                logger.info("lab %s could not be checked after a change: %s", self._name, e)
            except Exception:
                logger.exception("lab %s could not be checked after a change", self._name)

    def _settle(self) -> None:
        """Wait until nothing has changed for a moment, but not for ever."""
        for _ in range(int(_AT_MOST_S / _QUIET_S)):
            self._changed.clear()
            if not self._changed.wait(_QUIET_S) or self._stopped.is_set():
                return
        self._changed.clear()

    def _watch(self, path: str) -> None:
        failures = 0
        known: dict[str, object] | None = None
        while not self._stopped.is_set():
            try:
                with KubeApi(self._access()) as api:
                    found = api.list(path)
                    now = {self._key(o): gist(o) for o in found.get("items", []) if matters(o, self._namespaces)}
                    if known is not None and now != known:
                        self._changed.set()
                    known = now
                    self._listed[path].set()
                    failures = 0
                    self._follow(api, path, str(found["metadata"]["resourceVersion"]), known)
            except ApiError as e:
                if e.status != 410:  # too old a version: list again at once
                    failures = self._pause(path, failures, e)
            except KubetutorError as e:
                failures = self._pause(path, failures, e)
            except Exception:
                logger.exception("the watch of %s in lab %s broke", path, self._name)
                failures = self._pause(path, failures, None)

    def _follow(self, api: KubeApi, path: str, version: str, known: dict[str, object]) -> None:
        for event in api.watch(path, version, seconds=_WATCH_S):
            if self._stopped.is_set():
                return
            obj = event.get("object") or {}
            if event.get("type") not in ("ADDED", "MODIFIED", "DELETED") or not matters(obj, self._namespaces):
                continue
            key = self._key(obj)
            before = known.get(key)
            if event["type"] == "DELETED":
                known.pop(key, None)
            else:
                known[key] = gist(obj)
            if before != known.get(key):
                self._changed.set()

    def _pause(self, path: str, failures: int, error: Exception | None) -> int:
        if error is not None:
            logger.info("the watch of %s in lab %s failed: %s", path, self._name, error)
        self._stopped.wait(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
        return failures + 1

    @staticmethod
    def _key(obj: Mapping[str, Any]) -> str:
        meta = obj.get("metadata") or {}
        return f"{meta.get('namespace', '')}/{meta.get('name', '')}"
