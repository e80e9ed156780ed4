"""Times labs through the services, against the clusters of a running server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from tests.servers import RunningServer
from tutor import verify
from tutor.clusters.provider import ClusterSpec, Role
from tutor.clusters.registry import providers
from tutor.content.library import Library
from tutor.labs import manifests
from tutor.settings import Settings

LAB = "netpol-dns"


@dataclass(frozen=True)
class Measured:
    """Milliseconds of each round; mean memory of an open lab in MiB."""

    ready_ms: list[float]
    check_ms: list[float]
    memory_mb: float


def measure(server: RunningServer, labs: int, resident_mb: Callable[[], float]) -> Measured:
    """Open labs one after the other: cluster made and the lab's workloads ready; then check one stage of each."""
    settings = Settings.from_env(server.env)
    provider = providers(settings)["simulated"]
    lab = Library(settings.content_dir).lab(LAB)
    objects = list(manifests.objects(lab))
    ready, checks = [], []
    _open(provider, lab, objects)
    before = resident_mb()
    for _ in range(labs):
        began = time.perf_counter()
        handle = _open(provider, lab, objects)
        ready.append((time.perf_counter() - began) * 1000)
        access = provider.access(handle, Role.VERIFIER)
        verify.run_stage(lab, "observe", access, answers={})
        began = time.perf_counter()
        verify.run_stage(lab, "observe", access, answers={"observe-unconfirmed": "scraper"})
        checks.append((time.perf_counter() - began) * 1000)
    return Measured(ready, checks, max(0.0, resident_mb() - before) / labs)


def _open(provider, lab, objects):  # type: ignore[no-untyped-def]
    handle = provider.create(ClusterSpec(uuid4().hex, lab.namespaces))
    provider.apply_bulk(handle, objects)
    return handle
