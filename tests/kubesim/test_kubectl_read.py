"""What kubectl shows of a simulated cluster: get in its forms, describe, explain, discovery."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from tests.kubesim.kubectl import Kubectl
from tests.kubesim.objects import deployment, policy, service


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()]


def test_a_new_cluster_has_what_every_cluster_has(kubectl: Kubectl) -> None:
    spaces = kubectl("get", "namespaces", "-o", "name").split()
    assert spaces == [f"namespace/{n}" for n in ("default", "kube-node-lease", "kube-public", "kube-system")]
    assert rows(kubectl("get", "nodes"))[1][:3] == ["kubetutor-control-plane", "Ready", "control-plane"]
    dns = kubectl.json("service", "kube-dns", "-n", "kube-system")
    assert dns["spec"]["clusterIP"] == "10.96.0.10"
    assert [(p["port"], p["protocol"]) for p in dns["spec"]["ports"]] == [(53, "UDP"), (53, "TCP"), (9153, "TCP")]
    assert len(kubectl.json("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns")["items"]) == 2
    for obj in kubectl.json("configmaps,serviceaccounts,pods,services", "-A")["items"]:
        assert obj["metadata"]["uid"]
        assert obj["metadata"]["creationTimestamp"]


def test_columns_are_the_api_servers(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(), service(), policy())
    pods = rows(kubectl("get", "pods"))
    assert pods[0] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert pods[1][1:4] == ["1/1", "Running", "0"]
    wide = kubectl("get", "pods", "-A", "-o", "wide").splitlines()[0]
    assert wide.split()[0] == "NAMESPACE"
    assert wide.endswith("IP           NODE                      NOMINATED NODE   READINESS GATES")
    assert rows(kubectl("get", "deploy"))[1][:4] == ["web", "2/2", "2", "2"]
    assert rows(kubectl("get", "svc", "web", "-o", "wide"))[0][-1] == "SELECTOR"
    assert rows(kubectl("get", "netpol"))[1][:2] == ["deny", "<none>"]
    assert rows(kubectl("get", "endpointslices"))[1][1:3] == ["IPv4", "8080"]
    every = kubectl("get", "all")
    assert [k for k in ("pod/", "service/", "deployment.apps/", "replicaset.apps/") if k in every] == [
        "pod/", "service/", "deployment.apps/", "replicaset.apps/"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("-o", "name"), "deployment.apps/web\n"),
        (("-o", "jsonpath={.spec.replicas}"), "2"),
        (("-o", "go-template={{.metadata.name}}"), "web"),
        (("-o", "custom-columns=N:.metadata.name", "--no-headers"), "web\n"),
        (("-L", "app", "--no-headers", "-o", "jsonpath={.kind}"), "Deployment"),
    ],
)
def test_output_forms(kubectl: Kubectl, args: tuple[str, ...], expected: str) -> None:
    kubectl.apply(deployment())
    assert kubectl("get", "deployment", "web", *args) == expected


def test_json_and_yaml_say_the_same(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    assert yaml.safe_load(kubectl("get", "deploy", "web", "-o", "yaml")) == json.loads(
        kubectl("get", "deploy", "web", "-o", "json")
    )


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=a", ["a"]),
        ("app!=a", ["b", "plain"]),
        ("app in (a, b)", ["a", "b"]),
        ("app notin (a),app", ["b"]),
        ("!app", ["plain"]),
        ("tier==x,app=b", ["b"]),
    ],
)
def test_label_selectors(kubectl: Kubectl, selector: str, names: list[str]) -> None:
    for name, labels in (("a", "app=a"), ("b", "app=b,tier=x"), ("plain", "run-")):
        kubectl("run", name, "--image=busybox", "--labels", labels if "=" in labels else "other=1", "--", "sleep", "9")
    assert kubectl("get", "pods", "-l", selector, "-o", "jsonpath={.items[*].metadata.name}").split() == names


def test_field_selectors(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=busybox", "--", "sleep", "9")
    assert (
        kubectl("get", "pods", "--field-selector", "status.phase=Running,metadata.name!=q", "-o", "name") == "pod/p\n"
    )
    assert kubectl("get", "pods", "--field-selector", "status.phase!=Running", "-o", "name") == ""
    assert "field label not supported: spec.nope" in kubectl.fails("get", "pods", "--field-selector", "spec.nope=1")


def test_a_long_list_comes_in_pieces(kubectl: Kubectl) -> None:
    for number in range(5):
        kubectl("create", "configmap", f"m{number}")
    names = kubectl("get", "cm", "--chunk-size=2", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert names == ["kube-root-ca.crt", "m0", "m1", "m2", "m3", "m4"]


def test_describe_tells_what_learners_look_for(kubectl: Kubectl) -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}
    kubectl.apply(deployment(replicas=1), service(), policy(ingress=[rule]))
    pod = kubectl("describe", kubectl("get", "pods", "-o", "name").strip())
    assert "Successfully assigned default/" in pod
    assert "Started container main" in pod
    assert "Controlled By:  ReplicaSet/web-" in pod
    assert "Scaled up replica set web-" in kubectl("describe", "deploy", "web")
    assert ":8080" in next(line for line in kubectl("describe", "svc", "web").splitlines() if "Endpoints:" in line)
    assert "PodSelector: a=b" in kubectl("describe", "netpol", "deny")
    assert "Non-terminated Pods:" in kubectl("describe", "node")
    assert "kubernetes.io/metadata.name=default" in kubectl("describe", "ns", "default")


def test_events_are_found_by_their_object(kubectl: Kubectl) -> None:
    kubectl("run", "p", "--image=busybox", "--", "sleep", "9")
    assert [r[2] for r in rows(kubectl("get", "events", "--field-selector", "involvedObject.name=p", "--no-headers"))] == [
        "Scheduled", "Pulled", "Created", "Started"
    ]  # fmt: skip
    assert "Started container p" in kubectl("events", "--for", "pod/p")


def test_what_the_api_says_of_itself(kubectl: Kubectl) -> None:
    kinds = {r[-1] for r in rows(kubectl("api-resources", "--no-headers"))}
    assert {"Pod", "Deployment", "NetworkPolicy", "EndpointSlice", "Event"} <= kinds
    assert "networking.k8s.io/v1" in kubectl("api-versions").split()
    assert "from is a list of sources" in kubectl("explain", "networkpolicy.spec.ingress.from")
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"].endswith("kubetutor.simulated")
    assert "is running at" in kubectl("cluster-info")
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    assert "learner" in kubectl("auth", "whoami")
    assert "*.*" in kubectl("auth", "can-i", "--list")


@contextmanager
def following(kubectl: Kubectl, *args: str) -> Iterator[Iterator[str]]:
    """The lines of a kubectl that does not end by itself."""
    process = subprocess.Popen(
        kubectl.argv(*args), env=kubectl.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        yield iter(process.stdout)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_watch_shows_changes_in_order(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "first")
    with following(kubectl, "get", "cm", "-w", "--output-watch-events", "--no-headers") as lines:
        assert {next(lines).split()[1] for _ in range(2)} == {"first", "kube-root-ca.crt"}
        kubectl("create", "configmap", "second")
        kubectl("annotate", "configmap", "second", "a=b")
        kubectl("delete", "configmap", "second")
        seen = [next(lines).split()[:2] for _ in range(3)]
    assert seen == [["ADDED", "second"], ["MODIFIED", "second"], ["DELETED", "second"]]
