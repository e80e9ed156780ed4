"""Requests no client should send: each gets a Status that says what is wrong, and nothing is kept."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
import yaml

from tests.kubesim.conftest import Fresh
from tests.kubesim.kubectl import Kubectl
from tests.kubesim.objects import config_map, deployment, policy, service
from tutor.clusters.api import ApiError, KubeApi, tls_context
from tutor.clusters.provider import ClusterSpec, Role
from tutor.errors import ProvisionError
from tutor.kubesim import auth

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
BOMB = (
    "a: &a ["
    + "1," * 50
    + "1]\n"
    + "".join(f"{c}: &{c} [{','.join(['*' + p] * 50)}]\n" for p, c in zip("abcde", "bcdef", strict=True))
)


class Raw:
    """Requests as bytes."""

    def __init__(self, cluster: Fresh) -> None:
        self.access = cluster.access()
        self.pool = urllib3.PoolManager(ssl_context=tls_context(self.access), retries=False)

    def __call__(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json", token: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """(status, decoded body)."""
        headers = {"Authorization": f"Bearer {token or self.access.token}", "Content-Type": kind}
        response = self.pool.request(method, self.access.server + path, body=body or None, headers=headers, timeout=30)
        found = json.loads(response.data)
        if response.status >= 400:
            assert found["kind"] == "Status"
            assert (found["status"], found["code"]) == ("Failure", response.status)
            assert found["message"]
        return response.status, found


@pytest.fixture
def raw(cluster: Fresh) -> Iterator[Raw]:
    found = Raw(cluster)
    yield found
    found.pool.clear()


@pytest.mark.parametrize(
    ("body", "kind", "status", "told"),
    [
        (b"{", "application/json", 400, "could not be read"),
        (b"", "application/json", 400, "could not be read"),
        (b"\xff\xfe\xfd", "application/json", 400, "could not be read"),
        (b"[]", "application/json", 400, "not an object"),
        (b'"text"', "application/json", 400, "not an object"),
        (b'{"data": NaN}', "application/json", 400, "NaN is no JSON number"),
        (b'{"data": {"a": "\\ud800"}}', "application/json", 400, "surrogate"),
        (b"[" * 100_000, "application/json", 400, "could not be read"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "application/json", 400, "nested deeper"),
        (b"a: [", "application/yaml", 400, "could not be read"),
        (b"a: !!python/object:os.system {}", "application/yaml", 400, "could not be read"),
        (b"? [1, 2]\n: 3", "application/yaml", 400, "could not be read"),
        (BOMB.encode(), "application/yaml", 400, "more than 500000 values"),
        (b"nothing like it", PROTOBUF, 400, "protobuf"),
        (b"k8s\x00\x0a\xff\xff\xff\xff\x0f", PROTOBUF, 400, "not a whole protobuf message"),
        (b"{}", "text/plain", 415, "unknown format"),
        (b'{"kind": "Pod", "apiVersion": "v1"}', "application/json", 400, "cannot be handled as a ConfigMap"),
        (b'{"metadata": null}', "application/json", 422, "name or generateName is required"),
        (b'{"metadata": {"name": 7}}', "application/json", 400, "cannot unmarshal number"),
        (b'{"metadata": {"name": "a", "namespace": "b"}}', "application/json", 400, "does not match the namespace"),
        (b'{"metadata": {"name": "A_b"}}', "application/json", 422, "RFC 1123"),
        (b'{"metadata": {"name": "a", "labels": {"a b": "c"}}}', "application/json", 422, "metadata.labels"),
        (b'{"metadata": {"name": "a"}, "data": {"a/b": "c"}}', "application/json", 422, "valid config key"),
    ],
)
def test_bodies(raw: Raw, body: bytes, kind: str, status: int, told: str) -> None:
    before = raw("GET", MAPS)[1]
    got, answer = raw("POST", MAPS, body, kind)
    assert (got, told in answer["message"]) == (status, True), answer["message"]
    assert raw("GET", MAPS)[1] == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v2", 404),
        ("GET", "/apis/example.com/v1/things", 404),
        ("GET", "/api/v1/namespaces/default/pods/p", 404),
        ("GET", "/api/v1/namespaces/default/pods/p/nothing", 404),
        ("GET", "/openapi/v3/apis/example.com/v1", 404),
        ("PUT", MAPS, 405),
        ("POST", "/api/v1/configmaps", 405),
        ("PATCH", "/api/v1/namespaces/default/configmaps/none", 404),
        ("DELETE", "/api/v1/namespaces/default/configmaps/none", 404),
        ("GET", "/api/v1/pods?limit=many", 400),
        ("GET", "/api/v1/pods?continue=zz", 400),
        ("GET", "/api/v1/pods?continue=31", 400),
        ("GET", "/api/v1/pods?labelSelector=a%20in", 400),
        ("GET", "/api/v1/pods?fieldSelector=nope%3D1", 400),
    ],
)
def test_paths_and_parameters(raw: Raw, method: str, path: str, status: int) -> None:
    body = b"{}" if method in ("PUT", "POST", "PATCH") else b""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    assert raw(method, path, body, kind)[0] == status


def test_patches_that_do_not_fit(raw: Raw) -> None:
    raw("POST", MAPS, json.dumps(config_map()).encode())
    path = f"{MAPS}/settings"
    for body, kind, status in (
        (b"[1]", "application/json-patch+json", 422),
        (b'[{"op": "remove", "path": "/data/none"}]', "application/json-patch+json", 422),
        (b"{}", "application/json-patch+json", 400),
        (b"[]", "application/merge-patch+json", 400),
        (b'{"metadata": {"name": "other"}}', "application/merge-patch+json", 400),
        (b'{"metadata": {"resourceVersion": "1"}}', "application/merge-patch+json", 409),
        (b"{}", "application/fancy-patch+json", 415),
        (b"a: [", "application/apply-patch+yaml", 400),
    ):
        assert raw("PATCH", path + "?fieldManager=test", body, kind)[0] == status, (body, kind)
    assert raw("GET", path)[1]["metadata"]["name"] == "settings"


def test_who_may_call(raw: Raw, cluster: Fresh) -> None:
    secret = cluster.provider._keys()[1]
    for token in (
        "nonsense",
        auth.token(secret, "another", "learner"),
        auth.token(secret, "", "admin"),
        "learner.",
        "ü",
    ):
        assert raw("GET", MAPS, token=token.encode().decode("latin-1"))[0] == 401
    assert raw("GET", MAPS, token=cluster.access(Role.VERIFIER).token)[0] == 200


def test_the_kubeconfig_of_an_ended_lab(cluster: Fresh, kubectl: Kubectl) -> None:
    cluster.provider.delete(cluster.handle)
    assert "does not exist: its lab has ended" in kubectl.fails("get", "--raw", "/api/v1/namespaces")
    assert kubectl.run("get", "pods").returncode == 1


def test_five_megabytes_are_too_much(kubectl: Kubectl, raw: Raw) -> None:
    manifest = yaml.safe_dump(config_map("big", text="x" * 5_000_000))
    told = kubectl.fails("create", "-f", "-", stdin=manifest)
    assert "Request entity too large: limit is 3145728" in told
    two = yaml.safe_dump(config_map("big", text="x" * 2_000_000))
    assert "Too long: may not be more than 1048576 bytes" in kubectl.fails("create", "-f", "-", stdin=two)
    small = yaml.safe_dump(config_map("big", text="x" * 300_000))
    assert "metadata.annotations: Too long: may not be more than 262144 bytes" in kubectl.fails(
        "apply", "-f", "-", stdin=small
    )
    assert raw("GET", f"{MAPS}/big")[0] == 404


def test_ten_thousand_objects_are_too_many(cluster: Fresh, api: KubeApi) -> None:
    before = api.list("/api/v1/configmaps")["metadata"]["resourceVersion"]
    objects = [config_map(f"m{n}") for n in range(10_000)]
    with pytest.raises(ProvisionError, match="exceeded quota: a simulated cluster holds at most 5000 objects"):
        cluster.provider.apply_bulk(cluster.handle, objects)
    assert api.list("/api/v1/configmaps")["metadata"]["resourceVersion"] == before


def test_a_bulk_write_is_all_or_nothing(cluster: Fresh, api: KubeApi) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    good = config_map() | {"metadata": {"name": "settings", "namespace": "team"}}
    for bad, told in (
        (policy(policyTypes=["Sideways"]), "object 2 .NetworkPolicy deny.: .*Unsupported value"),
        ({"apiVersion": "v1", "kind": "Nothing"}, "object 2: no kind 'Nothing'"),
        (7, "object 2 is no object"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": 7}, "object 2"),
    ):
        with pytest.raises(ProvisionError, match=told):
            cluster.provider.apply_bulk(cluster.handle, [namespace, good, bad])  # type: ignore[list-item]
        assert api.get("/api/v1/namespaces/team") is None
    for _ in range(2):
        cluster.provider.apply_bulk(cluster.handle, [namespace, good])
    assert api.get("/api/v1/namespaces/team/configmaps/settings") is not None


def test_unknown_fields_are_refused_warned_of_or_dropped(kubectl: Kubectl) -> None:
    typo = yaml.safe_dump(policy(ingres=[]))
    assert 'unknown field "spec.ingres"' in kubectl.fails("apply", "-f", "-", stdin=typo)
    done = kubectl.run("apply", "--validate=warn", "-f", "-", stdin=typo)
    assert 'Warning: unknown field "spec.ingres"' in done.stderr
    assert kubectl.run("apply", "--validate=ignore", "-f", "-", stdin=typo).stderr == ""
    assert "ingres" not in kubectl.json("netpol", "deny")["spec"]


@pytest.mark.parametrize(
    ("obj", "told"),
    [
        (
            policy(ingress=[{"ports": [{"port": 99999}], "from": [{}]}]),
            [
                "spec.ingress[0].ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive",
                "spec.ingress[0].from[0]: Required value: must specify a peer",
            ],
        ),
        (
            deployment() | {"spec": deployment()["spec"] | {"selector": {"matchLabels": {"a": "b"}}}},
            ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
        ),
        (deployment("Web"), ['metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of']),
        (deployment(image=""), ["spec.template.spec.containers[0].image: Required value"]),
        (deployment(volumeMounts=[{"name": "v", "mountPath": "/v"}]), ['volumeMounts[0].name: Not found: "v"']),
        (deployment(replicas=-1), ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        (service(ports=[]), ["spec.ports: Required value"]),
        (service(ports=[{"port": 1}, {"port": 2}]), ["spec.ports[0].name: Required value"]),
        (service("Upper"), ['metadata.name: Invalid value: "Upper"']),
        (policy(podSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}), ["must be specified when `operator` is"]),
        ({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}}, ['no matches for kind "Thing"']),
        (config_map() | {"metadata": {"name": "x", "namespace": "nowhere"}}, ['namespaces "nowhere" not found']),
    ],
)  # fmt: skip
def test_refusals_read_as_the_api_servers(kubectl: Kubectl, obj: dict[str, Any], told: list[str]) -> None:
    complaint = kubectl.fails("apply", "-f", "-", stdin=yaml.safe_dump(obj))
    assert [t for t in told if t not in complaint] == [], complaint


def test_what_may_not_change(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    selector = '{"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}}}}}'
    assert 'Invalid value: {"matchLabels":{"app":"x"}}: field is immutable' in kubectl.fails(
        "patch", "deploy", "web", "--type=merge", "-p", selector
    )
    kubectl("run", "p", "--image=busybox", "--", "sleep", "9")
    assert "pod updates may not change fields other than" in kubectl.fails(
        "patch", "pod", "p", "-p", '{"spec":{"hostNetwork":true}}'
    )
    kubectl("set", "image", "pod/p", "p=busybox:1.36")


def test_malformed_yaml_in_a_manifest(kubectl: Kubectl) -> None:
    assert "yaml: line 2" in kubectl.fails("apply", "-f", "-", stdin="kind: ConfigMap\nmetadata: [")


def test_two_learners_of_one_server_do_not_meet(cluster: Fresh, kubectl: Kubectl) -> None:
    other = cluster.provider.create(ClusterSpec("test-other"))
    try:
        kubectl.apply(config_map())
        with KubeApi(cluster.provider.access(other, Role.LEARNER)) as api, pytest.raises(ApiError) as missing:
            api.request("GET", f"{MAPS}/settings")
        assert missing.value.status == 404
    finally:
        cluster.provider.delete(other)


def test_an_exec_killed_in_the_middle_of_its_output_holds_up_nobody(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=busybox", "--", "sleep", "9")
    process = subprocess.Popen(
        kubectl.argv("exec", "p", "--", "sh", "-c", "while true; do echo again and again; done"),
        env=kubectl.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.read(1000).startswith(b"again")
    process.kill()
    process.wait()
    process.stdout.close()
    assert kubectl("get", "pods", "-o", "name") == "pod/p\n"
