"""Reading the cluster: faults that pass, and the name service found rather than assumed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verify.fakes import RESOLV_CONF, FlakyApi, pod
from tutor.policy import Cluster
from tutor.verify import world as world_module
from tutor.verify.world import CannotCheck, World, find_dns, is_ready, nameserver_of


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module.time, "sleep", lambda _s: None)


def test_a_passing_fault_is_read_again(quick: None) -> None:
    api: Any = FlakyApi(2)
    assert World.read(api).objects["pods"] == ()
    assert api.asked > len(world_module._READS)


def test_a_fault_that_stays_is_ours(quick: None) -> None:
    api: Any = FlakyApi(1000)
    with pytest.raises(CannotCheck, match="did not answer"):
        World.read(api)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (RESOLV_CONF, "10.96.0.10"),
        ("nameserver fd00::a\n", "fd00::a"),
        ("# nameserver 1.1.1.1\nnameserver\t169.254.20.10\nnameserver 8.8.8.8\n", "169.254.20.10"),
    ],
)
def test_the_name_server_is_read_from_the_pod(text: str, address: str) -> None:
    assert nameserver_of(text) == address


def test_a_pod_without_a_name_server_is_no_verdict() -> None:
    with pytest.raises(CannotCheck, match="names no name server"):
        nameserver_of("search x\nnameserver\n")


def _world(**more: list[Any]) -> World:
    """A cluster whose name service is called differently and listens on another port."""
    service = {
        "metadata": {"name": "names", "namespace": "infra"},
        "spec": {
            "clusterIP": "10.96.0.53",
            "clusterIPs": ["10.96.0.53"],
            "ports": [{"name": "q", "port": 53, "protocol": "UDP"}, {"name": "q-tcp", "port": 53, "protocol": "TCP"}],
        },
    }
    slice_ = {
        "metadata": {"name": "s", "namespace": "infra", "labels": {"kubernetes.io/service-name": "names"}},
        "ports": [{"name": "q-tcp", "port": 5354}, {"name": "q", "port": 5353}],
        "endpoints": [
            {"targetRef": {"namespace": "infra", "name": "a"}, "conditions": {"ready": True}},
            {"targetRef": {"namespace": "infra", "name": "b"}, "conditions": {"ready": False}},
        ],
    }
    decoy = {**service, "metadata": {"name": "kube-dns", "namespace": "kube-system"}}
    decoy["spec"] = {**service["spec"], "clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10"]}
    objects = {
        "services": [decoy, service],
        "endpointslices": [slice_],
        "pods": [
            pod("a", "infra", "10.244.0.2"),
            pod("b", "infra", "10.244.0.3"),
            pod("cache", "kube-system", "192.0.2.9"),
        ],
    }
    return World({k: tuple(v) for k, v in (objects | more).items()}, Cluster.build({}, [], []))


def test_the_name_service_is_the_one_pods_ask() -> None:
    dns = find_dns(_world(), "10.96.0.53")
    assert (dns.namespace, dns.service, dns.port) == ("infra", "names", 5353)
    assert [p["metadata"]["name"] for p in dns.pods] == ["a"], "only ready ones"


def test_nobody_behind_it_is_told_apart_from_not_found() -> None:
    assert find_dns(_world(), "10.96.0.10").pods == ()
    with pytest.raises(CannotCheck, match="no Service of this cluster"):
        find_dns(_world(), "10.96.0.99")


def test_a_cache_on_the_node() -> None:
    assert find_dns(_world(), "169.254.20.10").cached
    found = find_dns(_world(), "192.0.2.9")
    assert found.cached
    assert [p["metadata"]["name"] for p in found.pods] == ["cache"]


def test_a_pod_that_goes_is_not_ready() -> None:
    assert is_ready(pod("a"))
    assert not is_ready(pod("a", metadata={"deletionTimestamp": "2026-01-01T12:00:00Z"}))
