"""What the specification leaves open is ``None`` with a reason, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policy.test_cases import CASES, endpoint, service_backend, topology
from tutor.policy import Cluster, ContainerPort, Pod, Protocol, Verdict

OPEN = [
    (case_id, step, probe)
    for case_id, case in CASES.items()
    for step in case["steps"]
    for probe in step.get("probes") or []
    if probe["allowed"] is None
]


def ask(case_id: str, step: dict[str, Any], probe: dict[str, Any]) -> Verdict:
    cluster, given, _ = topology(CASES[case_id], step)
    source, to, port, protocol = endpoint(cluster, given, probe["from"]), probe["to"], probe["port"], probe["protocol"]
    if to.startswith("svc:"):
        pod, pod_port = service_backend(cluster, given, to, port, protocol)
        ip = given["services"][to[4:]]["clusterIP"]
        return cluster.decide(source, pod, pod_port, Protocol(protocol), service_port=port, service_ip=ip)
    return cluster.decide(source, endpoint(cluster, given, to), port, Protocol(protocol))


@pytest.mark.parametrize(("case_id", "step", "probe"), OPEN, ids=lambda v: v if isinstance(v, str) else "")
def test_an_open_question_is_told_as_one(case_id: str, step: dict[str, Any], probe: dict[str, Any]) -> None:
    verdict = ask(case_id, step, probe)
    assert verdict.allowed is None, verdict.reason
    assert "left open" in verdict.reason or "leaves" in verdict.reason


SERVER = Pod("app", "server", {"app": "server"}, ("10.244.1.5",), (ContainerPort("http", 80),), "n1", ("172.18.0.3",))
AGENT = Pod("sys", "agent", {"app": "agent"}, ("172.18.0.4",), (), "n2", ("172.18.0.4",), True)


def isolating(namespace: str, **rules: Any) -> dict[str, Any]:
    kinds = [k.capitalize() for k in rules]
    return {"metadata": {"name": "p", "namespace": namespace}, "spec": {"policyTypes": kinds, **rules}}


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ([], False),  # both models deny
        ([{"from": [{"podSelector": {}}]}], False),  # the agent is in another namespace in either model
        ([{"from": [{"namespaceSelector": {}}]}], None),  # only the model that tells it apart allows
        ([{"from": [{"ipBlock": {"cidr": "172.18.0.4/32"}}]}], True),
        ([{}], True),
    ],
)
def test_a_host_network_client_is_settled_where_both_models_agree(rules: list[Any], allowed: bool | None) -> None:
    cluster = Cluster.build({"app": {}, "sys": {}}, [SERVER, AGENT], [isolating("app", ingress=rules)])
    assert cluster.decide(AGENT, SERVER, 80).allowed is allowed


@pytest.mark.parametrize(("rules", "allowed"), [([], None), ([{}], True)])
def test_a_selected_host_network_pod_is_settled_where_both_models_agree(rules: list[Any], allowed: bool | None) -> None:
    cluster = Cluster.build({"app": {}, "sys": {}}, [SERVER, AGENT], [isolating("sys", egress=rules)])
    assert cluster.decide(AGENT, SERVER, 80).allowed is allowed


@pytest.mark.parametrize(("rules", "service_port", "allowed"), [([], None, True), ([], 8080, None), ([{}], 8080, True)])
def test_a_pod_reaches_itself_but_through_its_service_it_is_open(
    rules: list[Any], service_port: int | None, allowed: bool | None
) -> None:
    cluster = Cluster.build({"app": {}}, [SERVER], [isolating("app", ingress=rules)])
    assert cluster.decide(SERVER, SERVER, 80, service_port=service_port).allowed is allowed


def test_a_listed_cluster_address_does_not_open_what_ports_deny() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.96.0.10/32"}}], "ports": [{"port": 53, "protocol": "TCP"}]}
    client = Pod("sys", "client", {}, ("10.244.1.9",))
    cluster = Cluster.build({"app": {}, "sys": {}}, [SERVER, client], [isolating("sys", egress=[rule])])
    asked = {"service_port": 53, "service_ip": "10.96.0.10"}
    assert cluster.decide(client, SERVER, 53, Protocol.TCP, **asked).allowed is None
    assert cluster.decide(client, SERVER, 53, Protocol.UDP, **asked).allowed is False
    assert cluster.decide(client, SERVER, 53, Protocol.TCP, service_port=53).allowed is False
