"""One server process for all tests of the simulated API, and a fresh cluster for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kubesim.kubectl import Kubectl
from tests.simserver import sim_server
from tutor.clusters.api import KubeApi
from tutor.clusters.provider import Access, ClusterSpec, Handle, Role
from tutor.clusters.registry import providers
from tutor.clusters.simulated import SimulatedProvider

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Fresh:
    """A cluster of one test."""

    provider: SimulatedProvider
    handle: Handle
    directory: Path

    def access(self, role: Role = Role.LEARNER) -> Access:
        return self.provider.access(self.handle, role)


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with sim_server(tmp_path_factory.mktemp("simulated")) as settings:
        found = providers(settings)["simulated"]
        assert isinstance(found, SimulatedProvider)
        yield found


@pytest.fixture
def cluster(provider: SimulatedProvider, tmp_path: Path) -> Iterator[Fresh]:
    handle = provider.create(ClusterSpec(f"test-{next(_numbers)}"))
    yield Fresh(provider, handle, tmp_path)
    provider.delete(handle)


@pytest.fixture
def kubectl(cluster: Fresh) -> Kubectl:
    config = cluster.directory / "config"
    config.write_text(cluster.access().kubeconfig(namespace="default"))
    return Kubectl(config)


@pytest.fixture
def api(cluster: Fresh) -> Iterator[KubeApi]:
    with KubeApi(cluster.access()) as found:
        yield found
