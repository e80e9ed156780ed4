"""The shipped lab on simulated clusters, one for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.verify.fakes import NOW
from tutor.clusters.api import KubeApi
from tutor.clusters.embedded import simulated
from tutor.clusters.provider import Access, ClusterSpec, Role
from tutor.clusters.simulated import SimulatedProvider
from tutor.content.library import Library
from tutor.content.models import Lab, LabScript
from tutor.labs import manifests
from tutor.labs.selftest import SelfTest
from tutor.verify import StageResult, run_stage
from tutor.verify.probe import Exec

ROOT = Path(__file__).parents[2]
SLUG = "netpol-dns"


@pytest.fixture(scope="session")
def library() -> Library:
    return Library(ROOT)


@pytest.fixture(scope="session")
def lab(library: Library) -> Lab:
    return library.lab(SLUG)


@pytest.fixture(scope="session")
def solution(library: Library) -> LabScript:
    return library.lab_scripts(SLUG)[0]["one-policy-each"]


@pytest.fixture(scope="package")
def provider() -> Iterator[SimulatedProvider]:
    with simulated(0.02) as found:
        yield found


@dataclass
class Cluster:
    """An open lab."""

    lab: Lab
    access: Access
    api: KubeApi

    def check(self, stage: str, exec_: Exec | None = None, **answers: str) -> StageResult:
        return run_stage(self.lab, stage, self.access, answers=answers, now=lambda: NOW, exec_=exec_)

    def policy(self, name: str, spec: dict[str, Any], namespace: str = "shop") -> None:
        meta = {"name": name, "namespace": namespace}
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        self.api.apply({**kind, "metadata": meta, "spec": spec}, namespace=namespace, manager="learner")

    def patch(self, path: str, patch: dict[str, Any]) -> None:
        self.api.request("PATCH", path, patch, content_type="application/strategic-merge-patch+json")

    def up_to(self, script: LabScript, stage: str) -> None:
        """Carry out a solution's steps for the stages before this one, and its own."""
        runner = SelfTest(self.lab, None, fresh=True, tell=str)  # type: ignore[arg-type]
        for step in script.steps:
            runner._do(self.access, step)
            if step.stage == stage:
                return


@pytest.fixture
def cluster(provider: SimulatedProvider, lab: Lab) -> Iterator[Cluster]:
    handle = provider.create(ClusterSpec(uuid4().hex, lab.namespaces))
    provider.apply_bulk(handle, manifests.objects(lab))
    access = provider.access(handle, Role.VERIFIER)
    with KubeApi(access) as api:
        yield Cluster(lab, access, api)
    provider.delete(handle)
