"""Asking in words: manifests in, one flow judged, every word that names nothing answered with what there is."""

from __future__ import annotations

import pytest

from tutor.errors import InvalidInput
from tutor.policy import Loaded, eval_flow, load_documents, verdict_json

SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
spec: {nodeName: n1, containers: [{name: c, image: x, ports: [{name: http, containerPort: 9000}]}]}
status: {podIP: 10.0.0.2, phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 172.18.0.2}]}
"""
DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {matchLabels: {app: api}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}], ports: [{port: PORT}]}]}
"""


def loaded(port: str = "9000") -> Loaded:
    return load_documents([("shop.yaml", SHOP), ("deny.yaml", DENY.replace("PORT", port))])


@pytest.mark.parametrize(
    ("source", "destination", "port", "allowed"),
    [
        ("shop/web", "shop/api", "9000", True),
        ("shop/web", "svc:shop/api", "80", True),
        ("shop/web", "shop/api", "80", False),
        ("shop/web", "shop/api", "9000/UDP", False),
        ("ip:198.51.100.7", "shop/api", "9000", False),
        ("ip:10.0.0.2", "shop/web", "80", True),
        ("node:n1", "shop/api", "1", True),
        ("shop/api", "ip:10.0.0.2", "1", True),
    ],
)
def test_a_flow_asked_in_words(source: str, destination: str, port: str, allowed: bool) -> None:
    assert eval_flow(loaded(), source, destination, port).allowed is allowed


def test_a_service_port_in_a_rule_is_told_from_the_pod_port() -> None:
    answer = verdict_json(eval_flow(loaded("80"), "shop/web", "svc:shop/api", "80"))
    assert answer["allowed"] is False
    assert answer["ingress"]["near_misses"][0]["code"] == "service-port"
    assert "the Service's port" in answer["reason"]


@pytest.mark.parametrize(
    ("source", "destination", "port", "told"),
    [
        ("shop/nobody", "shop/api", "80", "shop/nobody"),
        ("shop/web", "svc:shop/nobody", "80", "no Service shop/nobody"),
        ("shop/web", "svc:shop/api", "81", "no port 81/TCP"),
        ("shop/web", "node:n9", "80", "no node n9"),
        ("ip:here", "shop/api", "80", "no IP address"),
        ("shop/web", "shop/api", "http", "no port"),
        ("shop/web", "shop/api", "0", "no port"),
    ],
)
def test_a_word_that_names_nothing_is_answered_with_what_there_is(
    source: str, destination: str, port: str, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        eval_flow(loaded(), source, destination, port)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: [", r"bad.yaml:\d: is not valid YAML"),
        ("- 1", "no Kubernetes object"),
        ("kind: Pod\nmetadata: {}", "without metadata.name"),
        (DENY.replace("PORT", "99999"), "must be between 1 and 65535"),
    ],
)
def test_a_text_that_cannot_be_used_is_named(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        load_documents([("bad.yaml", text)])
