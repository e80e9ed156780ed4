"""Field errors in the API server's own words, and manifests no engine could read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutor.errors import InvalidInput
from tutor.policy import load_documents, validate

CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
RANGE = "must be between 1 and 65535, inclusive"


def messages(spec: dict[str, Any]) -> list[str]:
    return [e.message for e in validate({"metadata": {"name": "p", "namespace": "n"}, "spec": spec})]


@pytest.mark.parametrize(
    ("port", "told"),
    [
        ({"port": 1}, []),
        ({"port": 65535}, []),
        ({"port": 80, "endPort": 80}, []),
        ({"port": "http"}, []),
        ({"port": 70000}, [f"port: Invalid value: 70000: {RANGE}"]),
        ({"port": 0}, [f"port: Invalid value: 0: {RANGE}"]),
        ({"port": 80, "endPort": 79}, ["endPort: Invalid value: 79: must be greater than or equal to `port`"]),
        ({"port": 80, "endPort": 70000}, [f"endPort: Invalid value: 70000: {RANGE}"]),
        ({"endPort": 9}, ["endPort: Invalid value: 9: may not be specified when `port` is not specified"]),
        ({"port": "a", "endPort": 9}, ["endPort: Invalid value: 9: may not be specified when `port` is non-numeric"]),
        ({"port": "80"}, ['port: Invalid value: "80": must contain at least one letter (a-z)']),
        (
            {"port": "Web"},
            ['port: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'],
        ),
        ({"port": "a--b"}, ['port: Invalid value: "a--b": must not contain consecutive hyphens']),
        ({"port": "a-"}, ['port: Invalid value: "a-": must not begin or end with a hyphen']),
        ({"port": "a" * 16}, [f'port: Invalid value: "{"a" * 16}": must be no more than 15 bytes']),
        ({"protocol": "tcp"}, ['protocol: Unsupported value: "tcp": supported values: "TCP", "UDP", "SCTP"']),
    ],
)
def test_ports(port: dict[str, Any], told: list[str]) -> None:
    assert messages({"ingress": [{"ports": [port]}]}) == [f"spec.ingress[0].ports[0].{t}" for t in told]


@pytest.mark.parametrize(
    ("peer", "told"),
    [
        ({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}, []),
        ({"ipBlock": {"cidr": "10.0.0.7/8"}}, []),
        ({"podSelector": {}, "namespaceSelector": {}}, []),
        ({}, [": Required value: must specify a peer"]),
        ({"ipBlock": {}}, [".ipBlock.cidr: Required value"]),
        ({"ipBlock": {"cidr": "10.0.0.1"}}, [f'.ipBlock.cidr: Invalid value: "10.0.0.1": {CIDR}']),
        (
            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}},
            ['.ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`'],
        ),
        (
            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "fd00::/64"]}},
            ['.ipBlock.except[1]: Invalid value: "fd00::/64": must be a strict subset of `cidr`'],
        ),
        (
            {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}},
            [": Forbidden: may not specify both ipBlock and another peer"],
        ),
        (
            {"podSelector": {"matchExpressions": [{"key": "k", "operator": "In"}]}},
            [
                ".podSelector.matchExpressions[0].values: Required value: "
                "must be specified when `operator` is 'In' or 'NotIn'"
            ],
        ),
        (
            {"podSelector": {"matchExpressions": [{"key": "k", "operator": "Exists", "values": ["a"]}]}},
            [
                ".podSelector.matchExpressions[0].values: Forbidden: "
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            ],
        ),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "k", "operator": "in", "values": ["a"]}]}},
            ['.namespaceSelector.matchExpressions[0].operator: Invalid value: "in": not a valid selector operator'],
        ),
    ],
)
def test_peers(peer: dict[str, Any], told: list[str]) -> None:
    assert messages({"egress": [{"to": [peer]}]}) == [f"spec.egress[0].to[0]{t}" for t in told]


@pytest.mark.parametrize(("name", "good"), [("a", True), ("a.b/c", True), ("/c", False), ("a/", False), ("-a", False)])
def test_label_keys(name: str, good: bool) -> None:
    found = messages({"podSelector": {"matchLabels": {name: "v"}}})
    assert (found == []) is good
    assert all(m.startswith(f'spec.podSelector.matchLabels: Invalid value: "{name}": ') for m in found)


def test_every_error_is_told_in_the_order_of_the_fields() -> None:
    rule = {"ports": [{"port": 0}], "from": [{}]}
    paths = [e.path for e in validate({"spec": {"ingress": [rule], "egress": [{"to": [{}]}], "policyTypes": ["X"]}})]
    assert paths == [
        "spec.ingress[0].ports[0].port",
        "spec.ingress[0].from[0]",
        "spec.egress[0].to[0]",
        "spec.policyTypes[0]",
    ]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("foo", "spec must be an object, not the text"),
        ("{ingres: []}", 'unknown field "spec.ingres"'),
        ("{ingress: {}}", "spec.ingress must be a list, not an object"),
        ("{ingress: [{ports: [{port: 1.5}]}]}", "port must be a whole number or a name, not the number 1.5"),
        ("{ingress: [{ports: [{port: true}]}]}", "port must be a whole number or a name, not true"),
        ("{podSelector: {matchLabels: {v: 1.0}}}", "the label v must be text, not the number 1.0"),
        ("{ingress: [{to: []}]}", 'unknown field "spec.ingress\\[0\\].to"'),
        ("{egress: [{to: [{ipBlock: {cidr: 10}}]}]}", "cidr must be text, not the number 10"),
        ("{ingress: [{ports: [{port: 0}]}], egress: [{to: [{}]}]}", "\\(and 1 more\\)"),
    ],
)
def test_a_spec_that_no_server_would_decode_names_document_and_field(spec: str, told: str) -> None:
    text = (
        "kind: Namespace\nmetadata: {name: a}\n---\nkind: NetworkPolicy\nmetadata: {name: p, namespace: a}\nspec: "
        + spec
    )
    with pytest.raises(InvalidInput, match=f"^f.yaml: document 2: NetworkPolicy a/p is not valid: .*{told}"):
        load_documents([("f.yaml", text)])


NAMES = [
    *(
        "kind",
        "metadata",
        "name",
        "namespace",
        "labels",
        "spec",
        "status",
        "podSelector",
        "ingress",
        "egress",
        "from",
        "to",
    ),
    *("ports", "port", "endPort", "protocol", "ipBlock", "cidr", "except", "matchLabels", "matchExpressions", "items"),
    *("template", "containers", "containerPort", "podIPs", "ip", "addresses", "address", "clusterIP", "selector"),
]
KINDS = ["NetworkPolicy", "Pod", "Deployment", "Service", "Node", "Namespace", "List", "PodList", "Secret"]
leaf = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 70000), st.sampled_from([1.5, "x", "TCP", "10.0.0.0/8", "80"])
)
junk = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
)
RULES = st.fixed_dictionaries({}, optional={k: st.lists(junk, max_size=2) | junk for k in ("from", "to", "ports")})
whole = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS), "metadata": st.just({"name": "x"}) | junk},
    optional={
        "items": junk,
        "status": junk,
        "spec": junk
        | st.fixed_dictionaries({}, optional={k: st.lists(RULES, max_size=2) for k in ("ingress", "egress", "ports")}),
    },
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(whole)
def test_whatever_is_read_is_loaded_or_refused_by_name(obj: dict[str, Any]) -> None:
    try:
        pods = load_documents([("f.json", json.dumps(obj))]).cluster.pods
        told = "" if all(p.key == key for key, p in pods.items()) else "keys"
    except InvalidInput as e:
        told = "" if "f.json: document 1" in e.message else e.message
    assert told == ""
