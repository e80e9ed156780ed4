"""One contract, every provider: what a caller may rely on, whichever kind of cluster it is."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.labs.fakes import small_lab
from tests.simserver import sim_server
from tutor.clusters.api import ApiError, KubeApi
from tutor.clusters.process import kubectl_path
from tutor.clusters.provider import BulkProvider, ClusterSpec, ClusterState, Handle, Provider, Role
from tutor.clusters.registry import providers
from tutor.errors import NotFound
from tutor.labs import manifests
from tutor.settings import Settings

KIND_IMAGE = "kubetutor/kind-node:v1.34.4"


@pytest.fixture(scope="module", params=["simulated", pytest.param("kind", marks=pytest.mark.kind)])
def provider(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    data_dir = tmp_path_factory.mktemp("data")
    if request.param == "simulated":
        with sim_server(data_dir) as settings:
            yield providers(settings)["simulated"]
        return
    yield providers(Settings.from_env({}, data_dir=data_dir, kind_image=_kind_image()))["kind"]


def _kind_image() -> str:
    have = subprocess.run(["docker", "image", "inspect", KIND_IMAGE], capture_output=True, timeout=30, check=False)
    return KIND_IMAGE if have.returncode == 0 else ""


@pytest.fixture(scope="module")
def handle(provider: Provider) -> Iterator[Handle]:
    found = provider.create(ClusterSpec(secrets.token_hex(6), ("shop",)))
    yield found
    provider.delete(found)


def test_it_is_available(provider: Provider) -> None:
    assert provider.available().ok


def test_creating_again_gives_the_same_cluster(provider: Provider, handle: Handle) -> None:
    with KubeApi(provider.access(handle, Role.VERIFIER)) as api:
        api.request(
            "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mark"}}
        )
    again = provider.create(ClusterSpec(handle.lab_id))
    assert again == handle
    with KubeApi(provider.access(again, Role.VERIFIER)) as api:
        assert api.get("/api/v1/namespaces/mark") is not None


def test_state_and_owned(provider: Provider, handle: Handle) -> None:
    assert provider.state(handle) is ClusterState.READY
    assert handle.lab_id in {h.lab_id for h in provider.owned()}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_the_api(provider: Provider, handle: Handle, role: Role) -> None:
    with KubeApi(provider.access(handle, role)) as api:
        assert api.list("/api/v1/nodes")["items"]


def test_real_kubectl_uses_the_kubeconfig(provider: Provider, handle: Handle, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(provider.access(handle, Role.LEARNER).kubeconfig(namespace="kube-system"))
    done = subprocess.run(
        [kubectl_path(), "get", "deployments", "-o", "name"],
        env={"KUBECONFIG": str(config), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["deployment.apps/coredns"], done.stderr


def test_a_lab_is_furnished_and_its_workloads_start(provider: Provider, handle: Handle) -> None:
    lab = small_lab()
    access = provider.access(handle, Role.VERIFIER)
    objects = manifests.objects(lab)
    for _ in range(2):  # a crash in between is repaired by doing it again
        if isinstance(provider, BulkProvider):
            provider.apply_bulk(handle, objects)
        else:
            manifests.apply(access, objects)
    manifests.wait_available(access, lab, objects, give_up=threading.Event())
    with KubeApi(access) as api:
        pods = api.list("/api/v1/namespaces/shop/pods")["items"]
    assert [p["status"]["phase"] for p in pods] == ["Running"]


def test_server_side_apply_and_its_errors(provider: Provider, handle: Handle) -> None:
    policy = yaml.safe_load(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, "
        "spec: {podSelector: {}, ingress: [{ports: [{port: 99999}]}]}}"
    )
    with KubeApi(provider.access(handle, Role.LEARNER)) as api:
        with pytest.raises(ApiError) as refused:
            api.apply(policy, namespace="default", manager="test")
        assert refused.value.status == 422
        assert [path for path, _ in refused.value.causes] == ["spec.ingress[0].ports[0].port"]
        policy["spec"]["ingress"][0]["ports"][0]["port"] = 80
        assert api.apply(policy, namespace="default", manager="test")["metadata"]["name"] == "p"


def test_deleting_is_idempotent_and_access_ends(provider: Provider) -> None:
    found = provider.create(ClusterSpec(secrets.token_hex(6)))
    provider.delete(found)
    provider.delete(found)
    assert provider.state(found) is ClusterState.ABSENT
    assert found.lab_id not in {h.lab_id for h in provider.owned()}
    with pytest.raises(NotFound):
        provider.access(found, Role.LEARNER)
