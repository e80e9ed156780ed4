"""Request bodies: what arrives is what was meant, or it is refused; nothing in between, and never a crash."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kubesim import memory
from tutor.kubesim import body, controllers, protobuf, verbs
from tutor.kubesim.registry import RESOURCES, Resource
from tutor.kubesim.status import ApiError

# -- protobuf -----------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    out = b""
    number &= (1 << 64) - 1
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: bytes | str | int) -> bytes:
    """One field on the wire."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return protobuf.MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


def test_a_deployment_with_zero_replicas() -> None:
    """Zero in a pointer field says something; in any other field it says that nothing was set."""
    meta = field(1, "d") + field(7, 0) + field(11, field(1, "app") + field(2, "d"))
    port = field(1, "") + field(2, 0) + field(3, 80) + field(4, "")
    container = field(1, "c") + field(2, "nginx") + field(6, port) + field(16, 0)
    template = field(1, field(11, field(1, "app") + field(2, "d"))) + field(2, field(2, container) + field(4, 0))
    spec = field(1, 0) + field(2, field(1, field(1, "app") + field(2, "d"))) + field(3, template)
    found = body.parse(
        body.PROTOBUF, envelope("apps/v1", "Deployment", field(1, meta) + field(2, spec) + field(3, b""))
    )
    assert found == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"app": "d"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {
                    "containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}],
                    "terminationGracePeriodSeconds": 0,
                },
            },
        },
    }


def test_numbers_names_bytes_and_negatives() -> None:
    by_number = field(3, 80) + field(4, field(1, 0) + field(2, 8080))
    by_name = field(3, 81) + field(4, field(1, 1) + field(3, "http"))
    service = field(1, field(1, "s")) + field(2, field(1, by_number) + field(1, by_name))
    found = protobuf.decode(envelope("v1", "Service", service))
    assert [p["targetPort"] for p in found["spec"]["ports"]] == [8080, "http"]
    secret = field(1, field(1, "s")) + field(2, field(1, "k") + field(2, b"\x00\xff"))
    assert base64.b64decode(protobuf.decode(envelope("v1", "Secret", secret))["data"]["k"]) == b"\x00\xff"
    negative = protobuf.decode(envelope("apps/v1", "ReplicaSet", field(2, field(1, -1))))
    assert negative["spec"]["replicas"] == -1


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ApiError, match=r'no kind "Widget" is registered for version "example\.com/v1"'):
        protobuf.decode(envelope("example.com/v1", "Widget", b""))


def _outcome(work: Callable[[], Any]) -> Any:
    """What it gives, or the answer by which it refuses."""
    try:
        return work()
    except ApiError as e:
        return e


@given(st.sampled_from(["Pod", "Deployment", "Service", "Secret", "DeleteOptions"]), st.binary(max_size=60))
def test_broken_protobuf_is_refused_or_read(kind: str, raw: bytes) -> None:
    for data in (raw, protobuf.MAGIC + raw, envelope("v1", kind, raw)):
        assert isinstance(_outcome(lambda data=data: body.parse(body.PROTOBUF, data)), dict | ApiError)


# -- JSON and YAML ------------------------------------------------------------------------------------


def test_yaml_is_read_as_kubernetes_reads_it() -> None:
    text = b"when: 2026-01-01\nyes: no\n2: two\nshared: &s {a: 1}\nagain: *s\n"
    assert body.parse("application/yaml", text) == {
        "when": "2026-01-01",
        "true": False,
        "2": "two",
        "shared": {"a": 1},
        "again": {"a": 1},
    }


def test_a_content_type_may_have_parameters() -> None:
    assert body.parse("application/json; charset=utf-8", b'{"a": "\xc3\xbc"}') == {"a": "ü"}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99999) | st.sampled_from(["", "a", "TCP", "10%", "Always", "None"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "spec",
                    "template",
                    "metadata",
                    "labels",
                    "selector",
                    "matchLabels",
                    "matchExpressions",
                    "key",
                    "operator",
                    "values",
                    "containers",
                    "name",
                    "image",
                    "ports",
                    "port",
                    "protocol",
                    "replicas",
                    "ingress",
                    "egress",
                    "from",
                    "to",
                    "podSelector",
                    "namespaceSelector",
                    "ipBlock",
                    "cidr",
                    "except",
                    "endPort",
                    "type",
                    "clusterIP",
                    "targetPort",
                    "data",
                    "stringData",
                    "annotations",
                    "volumes",
                    "volumeMounts",
                    "env",
                    "command",
                    "args",
                    "ownerReferences",
                    "finalizers",
                    "strategy",
                    "rollingUpdate",
                    "type",
                    "status",
                    "nodeName",
                    "restartPolicy",
                    "configMap",
                    "items",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "selector": JUNK | st.just({"matchLabels": {"a": "b"}}),
                "template": st.fixed_dictionaries(
                    {},
                    optional={
                        "metadata": JUNK | st.just({"labels": {"a": "b"}}),
                        "spec": st.fixed_dictionaries(
                            {},
                            optional={
                                "containers": JUNK | st.just([{"name": "a", "image": "busybox"}]),
                                "volumes": JUNK,
                            },
                        ),
                    },
                ),
                "replicas": JUNK,
                "ports": JUNK,
                "podSelector": JUNK,
                "ingress": JUNK,
                "egress": JUNK,
                "policyTypes": JUNK,
                "containers": JUNK | st.just([{"name": "a", "image": "busybox", "command": ["false"]}]),
                "type": JUNK,
                "clusterIP": JUNK,
            },
        )
        | JUNK,
        "data": JUNK,
        "status": JUNK,
        "endpoints": JUNK,
        "involvedObject": JUNK,
    },
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(RESOURCES), PARTS, st.booleans())
def test_whatever_a_manifest_holds_it_is_stored_or_refused(
    resource: Resource, parts: dict[str, Any], strict: bool
) -> None:
    """Never an unforeseen error: neither when it is decoded, defaulted and validated, nor in the controllers after it."""
    t = memory.transaction()
    obj = {"metadata": {"name": "x"}} | parts
    namespace = "default" if resource.namespaced else ""
    made = _outcome(lambda: verbs.create(t, resource, namespace, obj, strict=strict, manager="test"))
    settled = made if isinstance(made, ApiError) else _outcome(lambda: controllers.settle(t))
    if isinstance(settled, ApiError):
        assert settled.code in (400, 403, 422)
        return
    assert t.get(resource.plural, namespace, "x") is not None
    again, _ = verbs.apply_patch(
        t, resource, namespace, "x", {"metadata": {"labels": {"l": "m"}}}, "application/merge-patch+json",
        manager="test", force=False, strict=strict, sub="",
    )  # fmt: skip
    assert again["metadata"]["uid"] == made["metadata"]["uid"]
