"""What kubectl changes: create, apply, patch, edit, label, delete; and that dry runs change nothing."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.kubesim.kubectl import Kubectl
from tests.kubesim.objects import config_map, deployment, policy, service


@pytest.mark.parametrize(
    ("args", "path", "expected"),
    [
        (("namespace", "team"), "namespace team {.status.phase}", "Active"),
        (("configmap", "m", "--from-literal=a=b"), "configmap m {.data.a}", "b"),
        (("secret", "generic", "s", "--from-literal=a=b"), "secret s {.data.a}", "Yg=="),
        (("serviceaccount", "robot"), "sa robot {.metadata.name}", "robot"),
        (("deployment", "d", "--image=busybox", "--replicas=0"), "deploy d {.spec.replicas}", "0"),
        (("service", "clusterip", "s", "--tcp=80:8080"), "svc s {.spec.ports[0].targetPort}", "8080"),
        (("service", "nodeport", "s", "--tcp=80:8080"), "svc s {.spec.ports[0].nodePort}", "30001"),
        (("service", "externalname", "s", "--external-name=example.com"), "svc s {.spec.externalName}", "example.com"),
    ],
)
def test_create_sends_protobuf_that_is_understood(
    kubectl: Kubectl, args: tuple[str, ...], path: str, expected: str
) -> None:
    kubectl("create", *args)
    kind, name, field = path.split()
    assert kubectl("get", kind, name, "-o", f"jsonpath={field}") == expected
    assert "already exists" in kubectl.fails("create", *args)


def test_create_by_protobuf_is_what_the_dry_run_shows(kubectl: Kubectl) -> None:
    args = ("create", "deployment", "d", "--image=nginx:1.27", "--port=80", "--replicas=3")
    planned = json.loads(kubectl(*args, "--dry-run=client", "-o", "json"))
    kubectl(*args)
    made = kubectl.json("deploy", "d")
    assert made["spec"]["selector"] == planned["spec"]["selector"]
    assert made["spec"]["replicas"] == 3
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert {k: container[k] for k in ("name", "image")} == {"name": "nginx", "image": "nginx:1.27"}
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


def test_apply_creates_configures_and_leaves_alone(kubectl: Kubectl) -> None:
    assert kubectl.apply(deployment(), service()).splitlines() == ["deployment.apps/web created", "service/web created"]
    assert kubectl.apply(deployment(), service()).splitlines() == [
        "deployment.apps/web unchanged",
        "service/web unchanged",
    ]
    assert kubectl.apply(deployment(replicas=1)) == "deployment.apps/web configured\n"
    assert len(kubectl.json("pods", "-l", "app=web")["items"]) == 1


def test_apply_takes_away_what_the_manifest_no_longer_says(kubectl: Kubectl) -> None:
    kubectl.apply(config_map(a="1", b="2"))
    kubectl("label", "configmap", "settings", "mine=kept")
    kubectl.apply(config_map(a="1"))
    found = kubectl.json("configmap", "settings")
    assert found["data"] == {"a": "1"}
    assert found["metadata"]["labels"] == {"mine": "kept"}


@pytest.mark.parametrize("how", [(), ("--server-side",)])
def test_a_dry_run_on_the_server_validates_and_keeps_nothing(kubectl: Kubectl, how: tuple[str, ...]) -> None:
    told = kubectl.apply(deployment(), options=("--dry-run=server", *how))
    assert "server dry run" in told
    assert kubectl("get", "deploy,pods", "-o", "name") == ""
    bad = yaml.safe_dump(policy(policyTypes=["Sideways"]))
    assert "Unsupported value" in kubectl.fails("apply", "--dry-run=server", *how, "-f", "-", stdin=bad)
    assert "server dry run" in kubectl("create", "ns", "team", "--dry-run=server")
    assert "NotFound" in kubectl.fails("get", "ns", "team")


def test_diff_shows_what_apply_would_do(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    done = kubectl.run("diff", "-f", "-", stdin=yaml.safe_dump(deployment(replicas=3)))
    assert done.returncode == 1
    assert "+  replicas: 3" in done.stdout
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "2"


def test_server_side_apply_owns_fields(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(), service(), options=("--server-side",))
    kubectl.apply(deployment(), service(), options=("--server-side",))
    other = ("--server-side", "--field-manager=other")
    conflict = kubectl.fails("apply", *other, "-f", "-", stdin=yaml.safe_dump(deployment(replicas=5)))
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas' in conflict
    image = yaml.safe_dump(deployment(image="busybox:1.35"))
    assert 'containers[name="main"].image' in kubectl.fails("apply", *other, "-f", "-", stdin=image)
    kubectl.apply(deployment(replicas=5), options=(*other, "--force-conflicts"))
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "5"


def test_server_side_apply_after_client_side(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(), service())
    kubectl.apply(deployment(replicas=3), service(), options=("--server-side", "--force-conflicts"))
    done = kubectl.run(
        "apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all([deployment(replicas=4), service()])
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "4"


def test_server_side_apply_keeps_ports_that_differ_in_protocol(kubectl: Kubectl) -> None:
    ports = [{"name": n, "port": 53, "protocol": p} for n, p in (("dns", "UDP"), ("dns-tcp", "TCP"))]
    for _ in range(2):
        kubectl.apply(service("dns", ports=ports), options=("--server-side",))
    assert kubectl("get", "svc", "dns", "-o", "jsonpath={.spec.ports[*].protocol}") == "UDP TCP"


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"busybox:1.35"}]}}}}'),
        ("json", '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"busybox:1.35"}]'),
    ],
)
def test_patches_reach_into_lists(kubectl: Kubectl, kind: str, patch: str) -> None:
    kubectl.apply(deployment())
    kubectl("patch", "deploy", "web", "--type", kind, "-p", patch)
    container = kubectl.json("deploy", "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "busybox:1.35"
    assert container["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]


def test_merge_patch_removes_with_null(kubectl: Kubectl) -> None:
    kubectl.apply(config_map(a="1", b="2"))
    kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"a":null}}')
    assert kubectl.json("configmap", "settings")["data"] == {"b": "2"}


def test_edit_goes_through_an_editor(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    kubectl("edit", "deploy", "web", KUBE_EDITOR="sed -i s/replicas:.2/replicas:\\ 1/")
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "1"


def test_labels_and_annotations(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=busybox", "--", "sleep", "9")
    kubectl("label", "pod", "p", "a=b")
    assert "--overwrite is false" in kubectl.fails("label", "pod", "p", "a=c")
    kubectl("label", "pod", "p", "a=c", "--overwrite")
    kubectl("annotate", "pod", "p", "note=long text")
    found = kubectl.json("pod", "p")["metadata"]
    assert found["labels"] == {"run": "p", "a": "c"}
    assert found["annotations"]["note"] == "long text"
    kubectl("label", "pod", "p", "a-")
    assert kubectl.json("pod", "p")["metadata"]["labels"] == {"run": "p"}


def test_replace_and_its_conflict(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "m", "--from-literal=a=1")
    first = kubectl.json("configmap", "m")
    kubectl("replace", "-f", "-", stdin=json.dumps(first | {"data": {"a": "2"}}))
    told = kubectl.fails("replace", "-f", "-", stdin=json.dumps(first | {"data": {"a": "3"}}))
    assert "the object has been modified; please apply your changes to the latest version and try again" in told
    assert kubectl.json("configmap", "m")["data"] == {"a": "2"}


def test_deleting_a_namespace_takes_all_of_it(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "team")
    kubectl.apply(deployment(), service(), policy(), options=("-n", "team"))
    kubectl("delete", "namespace", "team")
    assert kubectl("get", "all,netpol,cm,sa,endpointslices", "-n", "team", "-o", "name") == ""
    assert "this namespace may not be deleted" in kubectl.fails("delete", "namespace", "kube-system")


def test_deleting_an_owner_takes_what_it_owns(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(), service())
    kubectl("delete", "deployment", "web", "--cascade=foreground")
    assert kubectl("get", "rs,pods", "-o", "name") == ""
    kubectl.apply(deployment())
    kubectl("delete", "deployment", "web", "--cascade=orphan")
    assert len(kubectl("get", "rs,pods", "-o", "name").split()) == 3


def test_a_finalizer_holds_an_object_until_it_is_cleared(kubectl: Kubectl) -> None:
    held = config_map()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    kubectl.apply(held)
    kubectl("delete", "configmap", "settings", "--wait=false")
    assert kubectl.json("configmap", "settings")["metadata"]["deletionTimestamp"]
    kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in kubectl.fails("get", "configmap", "settings")


def test_write_only_secrets_text_becomes_data(kubectl: Kubectl) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "one"}}
    kubectl.apply(secret)
    kubectl.apply(secret | {"stringData": {"k": "two"}})
    found = kubectl.json("secret", "s")
    assert found["data"] == {"k": "dHdv"}
    assert "stringData" not in found
