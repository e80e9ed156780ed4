"""Rules of NetworkPolicy v1 as truth tables: policyTypes, selector operators, and the code of every near miss."""

from __future__ import annotations

from typing import Any

import pytest

from tutor.policy import Cluster, ContainerPort, Direction, External, NearMiss, Pod, Protocol, Verdict, tree
from tutor.policy.compiled import compile_policy
from tutor.policy.selectors import Selector

ABSENT = object()
RULE: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("types", "ingress", "egress", "isolates"),
    [
        (ABSENT, ABSENT, ABSENT, "I"),
        (ABSENT, [RULE], ABSENT, "I"),
        (ABSENT, ABSENT, [], "I"),
        (ABSENT, ABSENT, None, "I"),
        (ABSENT, ABSENT, [RULE], "IE"),
        (ABSENT, [RULE], [RULE], "IE"),
        ([], ABSENT, [RULE], "IE"),
        (None, ABSENT, ABSENT, "I"),
        (["Ingress"], ABSENT, [RULE], "I"),
        (["Egress"], [RULE], ABSENT, "E"),
        (["Egress"], ABSENT, ABSENT, "E"),
        (["Egress", "Ingress"], ABSENT, ABSENT, "IE"),
    ],
)
def test_policy_types(types: Any, ingress: Any, egress: Any, isolates: str) -> None:
    given = {"policyTypes": types, "ingress": ingress, "egress": egress}
    policy = compile_policy({"metadata": {}, "spec": {k: v for k, v in given.items() if v is not ABSENT}})
    assert (policy.rules(Direction.INGRESS) is not None) is ("I" in isolates)
    assert (policy.rules(Direction.EGRESS) is not None) is ("E" in isolates)


@pytest.mark.parametrize(
    ("operator", "values", "missing", "empty", "listed", "other"),
    [
        ("In", ["a", "b"], False, False, True, False),
        ("NotIn", ["a", "b"], True, True, False, True),
        ("Exists", [], False, True, True, True),
        ("DoesNotExist", [], True, False, False, False),
        ("In", [""], False, True, False, False),
    ],
)
def test_selector_operators(
    operator: str, values: list[str], missing: bool, empty: bool, listed: bool, other: bool
) -> None:
    selector = Selector.parse({"matchExpressions": [{"key": "k", "operator": operator, "values": values}]})
    found = [selector.matches(labels) for labels in ({}, {"k": ""}, {"k": "a"}, {"k": "z"})]
    assert found == [missing, empty, listed, other]


@pytest.mark.parametrize(
    ("labels", "matches"), [({}, False), ({"k": ""}, True), ({"k": "x"}, False), ({"k": "", "l": "x"}, True)]
)
def test_an_empty_label_value_needs_the_key(labels: dict[str, str], matches: bool) -> None:
    assert Selector.parse({"matchLabels": {"k": ""}}).matches(labels) is matches


DNS = Pod(
    "kube-system",
    "coredns",
    {"k8s-app": "kube-dns"},
    ("10.244.0.2",),
    (ContainerPort("dns", 53, Protocol.UDP), ContainerPort("dns-tcp", 53, Protocol.TCP)),
)
API = Pod("shop", "api", {"app": "api"}, ("10.244.1.3",), (ContainerPort("http", 8080),))
WEB = Pod("shop", "web", {"app": "web"}, ("10.244.1.2",))
SYSTEM = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
KUBE_DNS = {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
UDP53 = [{"protocol": "UDP", "port": 53}]


def policy(namespace: str, name: str, selector: dict[str, Any] | None = None, **rules: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": selector or {}},
            "policyTypes": [k.capitalize() for k in rules],
            **rules,
        },
    }


def decide(policies: list[dict[str, Any]], *ends: Any, port: int, protocol: str = "TCP", **more: Any) -> Verdict:
    names = ("shop", "kube-system")
    spaces = {n: {"kubernetes.io/metadata.name": n} for n in names}
    return Cluster.build(spaces, [DNS, API, WEB], policies).decide(*ends, port, Protocol(protocol), **more)


@pytest.mark.parametrize(
    ("code", "rule", "told"),
    [
        ("protocol", {"to": [SYSTEM], "ports": [{"protocol": "TCP", "port": 53}]}, "TCP 53, not UDP 53"),
        ("protocol", {"to": [SYSTEM], "ports": [{"port": 53}]}, "a port without a protocol means TCP"),
        ("port", {"to": [SYSTEM], "ports": [{"protocol": "UDP", "port": 5353}]}, "UDP 5353, not UDP 53"),
        ("port", {"to": [SYSTEM], "ports": [{"protocol": "UDP", "port": "domain"}]}, "the port named domain"),
        (
            "namespace-label",
            {"to": [{"namespaceSelector": {"matchLabels": {"name": "kube-system"}}}], "ports": UDP53},
            "a namespace with name=kube-system",
        ),
        ("and-or", {"to": [SYSTEM | {"podSelector": {"matchLabels": {"app": "dns"}}}]}, "both must match"),
        ("other-namespace", {"to": [KUBE_DNS], "ports": UDP53}, "namespace shop only"),
        ("ip-block", {"to": [{"ipBlock": {"cidr": "10.96.0.0/16"}}]}, "10.244.0.2"),
        (
            "ip-block",
            {"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.244.0.0/16"]}}]},
            "except 10.244.0.0/16",
        ),
    ],
)
def test_the_nearest_rule_says_why_dns_is_denied(code: str, rule: dict[str, Any], told: str) -> None:
    verdict = decide([policy("shop", "dns", egress=[rule])], WEB, DNS, port=53, protocol="UDP")
    assert verdict.allowed is False
    assert verdict.egress.near_misses[0].code == code
    assert told in verdict.reason
    assert "Nearest is shop/dns rule 1" in verdict.reason
    assert any(told in line for line in tree(verdict)[:-1])


def test_a_pod_label_of_the_own_namespace() -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "wbe"}}}]}
    verdict = decide([policy("shop", "api", {"app": "api"}, ingress=[rule])], WEB, API, port=8080)
    assert [m.code for m in verdict.ingress.near_misses] == ["pod-label"]
    assert "it wants pods with app=wbe, and shop/web has app=web" in verdict.reason


def test_a_service_port_in_a_rule() -> None:
    policies = [policy("shop", "api", {"app": "api"}, ingress=[{"ports": [{"port": 80}]}])]
    assert decide(policies, WEB, API, port=8080, service_port=80).ingress.near_misses[0].code == "service-port"
    assert decide(policies, WEB, API, port=8080).ingress.near_misses[0].code == "port"


def test_a_policy_without_a_rule() -> None:
    verdict = decide([policy("shop", "deny", egress=[])], WEB, DNS, port=53, protocol="UDP")
    assert [m.code for m in verdict.egress.near_misses] == ["no-rule"]
    assert verdict.reason == (
        "shop/web to kube-system/coredns on UDP 53 is denied: shop/deny selects shop/web and no egress rule allows it."
    )


def test_only_one_side_is_open() -> None:
    policies = [
        policy("shop", "deny", ingress=[], egress=[]),
        policy("shop", "out", {"app": "web"}, egress=[{"to": [{"podSelector": {}}]}]),
    ]
    verdict = decide(policies, WEB, API, port=8080)
    assert (verdict.egress.allowed, verdict.ingress.allowed) == (True, False)
    half = verdict.ingress.near_misses[-1]
    assert (half.code, half.policy, half.rule) == ("one-side", "shop/out", 0)
    assert "the egress side is open already, and a connection needs both" in verdict.reason


def test_the_nearest_rule_comes_first() -> None:
    far = {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 1}]}
    near = {"to": [SYSTEM], "ports": [{"protocol": "TCP", "port": 53}]}
    policies = [policy("shop", "deny", egress=[]), policy("shop", "dns", egress=[far, near])]
    misses: tuple[NearMiss, ...] = decide(policies, WEB, DNS, port=53, protocol="UDP").egress.near_misses
    assert [(m.policy, m.rule) for m in misses] == [("shop/dns", 1), ("shop/dns", 0), ("shop/deny", -1)]


def test_a_named_port_never_matches_an_outside_address() -> None:
    policies = [policy("shop", "out", egress=[{"ports": [{"port": "http"}]}])]
    assert decide(policies, WEB, API, port=8080).allowed is True
    assert decide(policies, WEB, External("192.0.2.1"), port=8080).allowed is False
