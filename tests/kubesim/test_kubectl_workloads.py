"""Controllers as kubectl sees them: rollouts, scaling, replica sets and their pods, services and endpoints, pods that end."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.kubesim.kubectl import Kubectl
from tests.kubesim.objects import deployment, service


def endpoints(kubectl: Kubectl) -> list[str]:
    slices = kubectl.json("endpointslices", "-l", "kubernetes.io/service-name=web")["items"]
    return sorted(a for s in slices for e in s["endpoints"] for a in e["addresses"])


def addresses(kubectl: Kubectl, selector: str = "app=web") -> list[str]:
    return sorted(p["status"]["podIP"] for p in kubectl.json("pods", "-l", selector)["items"])


def test_a_rollout_forward_and_back(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    kubectl("set", "image", "deploy/web", "main=busybox:1.35")
    kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert {p["spec"]["containers"][0]["image"] for p in kubectl.json("pods")["items"]} == {"busybox:1.35"}
    kubectl("rollout", "undo", "deploy/web")
    kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert {p["spec"]["containers"][0]["image"] for p in kubectl.json("pods")["items"]} == {"busybox:1.36"}
    history = kubectl("rollout", "history", "deploy/web").split()
    assert [word for word in history if word.isdigit()] == ["2", "3"]
    kubectl("rollout", "undo", "deploy/web", "--to-revision=2")
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={..image}") == "busybox:1.35"


def test_a_restart_makes_new_pods(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    before = set(kubectl("get", "pods", "-o", "name").split())
    kubectl("rollout", "restart", "deploy/web")
    kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    after = set(kubectl("get", "pods", "-o", "name").split())
    assert len(after) == 2
    assert not before & after


def test_a_paused_rollout_waits(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    kubectl("rollout", "pause", "deploy/web")
    kubectl("set", "image", "deploy/web", "main=busybox:1.35")
    kubectl("scale", "deploy/web", "--replicas=3")
    assert [p["spec"]["containers"][0]["image"] for p in kubectl.json("pods")["items"]] == ["busybox:1.36"] * 3
    kubectl("rollout", "resume", "deploy/web")
    assert [p["spec"]["containers"][0]["image"] for p in kubectl.json("pods")["items"]] == ["busybox:1.35"] * 3


def test_old_replica_sets_are_kept_up_to_the_limit(kubectl: Kubectl) -> None:
    limited = deployment()
    limited["spec"]["revisionHistoryLimit"] = 1
    kubectl.apply(limited)
    for tag in ("1.33", "1.34", "1.35"):
        kubectl("set", "image", "deploy/web", f"main=busybox:{tag}")
    assert len(kubectl.json("rs")["items"]) == 2


def test_scaling(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    kubectl("scale", "deploy/web", "--replicas=4")
    assert len(addresses(kubectl)) == 4
    assert "Expected replicas to be 7, was 4" in kubectl.fails(
        "scale", "deploy/web", "--current-replicas=7", "--replicas=0"
    )
    kubectl("scale", "deploy/web", "--current-replicas=4", "--replicas=0")
    assert addresses(kubectl) == []
    told = kubectl.fails("scale", "deploy/web", "--replicas=10000")
    assert "exceeded quota" in told
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "0"


def test_a_deployment_repairs_what_is_taken_away(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(replicas=1))
    gone = kubectl("get", "pods", "-o", "name").strip()
    kubectl("delete", gone)
    assert kubectl("get", "pods", "-o", "name").strip() not in ("", gone)
    kubectl("delete", "rs", "-l", "app=web")
    assert len(addresses(kubectl)) == 1
    kubectl("scale", "rs", "-l", "app=web", "--replicas=5")
    assert len(addresses(kubectl)) == 1


def test_a_relabelled_pod_is_let_go_and_taken_back(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(replicas=1), service())
    pod = kubectl("get", "pods", "-o", "name").strip()
    kubectl("label", pod, "app=other", "--overwrite")
    assert addresses(kubectl) != addresses(kubectl, "app=other")
    assert endpoints(kubectl) == addresses(kubectl)
    kubectl("label", pod, "app=web", "--overwrite")
    assert len(addresses(kubectl)) == 1


def test_endpoints_follow_the_pods(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(), service())
    assert endpoints(kubectl) == addresses(kubectl)
    kubectl("scale", "deploy/web", "--replicas=3")
    assert endpoints(kubectl) == addresses(kubectl)
    kubectl("delete", "endpointslices", "--all")
    assert endpoints(kubectl) == addresses(kubectl)
    kubectl("patch", "svc", "web", "-p", '{"spec":{"selector":{"app":"nobody"}}}')
    assert endpoints(kubectl) == []


def test_services_get_addresses_of_their_own(kubectl: Kubectl) -> None:
    kubectl.apply(service("a"), service("b"), service("none", clusterIP="None"))
    found = [s["spec"]["clusterIP"] for s in kubectl.json("svc", "a", "b", "none")["items"]]
    assert found[0] != found[1]
    assert found[2] == "None"
    told = kubectl.fails("patch", "svc", "a", "-p", '{"spec":{"clusterIP":"10.96.9.9"}}')
    assert "may not change once set" in told
    kubectl("expose", "deploy", "coredns", "-n", "kube-system", "--name=x", "--port=53", "--type=LoadBalancer")
    assert "<pending>" in kubectl("get", "svc", "x", "-n", "kube-system")


def test_wait_for_conditions_and_deletion(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    assert "condition met" in kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=20s")
    assert "condition met" in kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod", "--all", "--timeout=20s")
    process = subprocess.Popen(
        kubectl.argv("wait", "--for=delete", "deploy/web", "--timeout=30s"), env=kubectl.env, stdout=subprocess.DEVNULL
    )
    kubectl("delete", "deploy", "web")
    assert process.wait(40) == 0


@pytest.mark.parametrize(
    ("command", "status", "log"),
    [
        (("echo", "hello"), "Completed", "hello\n"),
        (("sh", "-c", "echo out; echo err >&2; exit 3"), "Error", "out\nerr\n"),
        (("wget", "-qO-", "-T", "2", "http://web"), "Completed", "home\n"),
        (("nosuch",), "StartError", ""),
    ],
)
def test_a_pod_that_ends_runs_its_command(kubectl: Kubectl, command: tuple[str, ...], status: str, log: str) -> None:
    page = {"command": ["sh", "/kubetutor/workload.sh"], "args": ["listen=8080/TCP:home"]}
    kubectl.apply(deployment(**page), service())
    kubectl("run", "job", "--image=busybox:1.36", "--restart=Never", "--", *command)
    phase = "Succeeded" if status == "Completed" else "Failed"
    kubectl("wait", f"--for=jsonpath={{.status.phase}}={phase}", "pod/job", "--timeout=30s")
    assert kubectl("get", "pod", "job", "--no-headers").split()[2] == status
    assert kubectl("logs", "job") == log
    assert kubectl("logs", "-f", "job") == log


@pytest.mark.parametrize(
    ("restart", "code"),
    [(("--restart=Never",), 4), ((), 0)],
)
def test_run_attaches_and_cleans_up(kubectl: Kubectl, restart: tuple[str, ...], code: int) -> None:
    args = ("run", "try", "--rm", "-i", *restart, "--image=busybox:1.36", "--", "sh")
    done = kubectl.run(*args, stdin="echo hey; hostname; exit 4\n")
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith("hey\ntry\n")
    assert kubectl("get", "pods", "-o", "name") == ""


def test_a_crashing_container_shows_it(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(replicas=1, command=["sh", "-c", "exit 1"]), service())
    assert kubectl("get", "pods", "--no-headers").split()[1:3] == ["0/1", "CrashLoopBackOff"]
    slices = json.loads(kubectl("get", "endpointslices", "-o", "json"))["items"]
    ready = [
        e["conditions"]["ready"] for s in slices for e in s["endpoints"] if s["metadata"]["name"].startswith("web")
    ]
    assert ready == [False]
    assert kubectl.run("wait", "--for=condition=Available", "deploy/web", "--timeout=1s").returncode != 0


def test_cordon_and_drain(kubectl: Kubectl) -> None:
    kubectl.apply(deployment())
    before = set(kubectl("get", "pods", "-o", "name").split())
    kubectl("drain", "kubetutor-control-plane", "--ignore-daemonsets", "--force")
    assert "SchedulingDisabled" in kubectl("get", "nodes")
    assert not before & set(kubectl("get", "pods", "-o", "name").split())
    kubectl("uncordon", "kubetutor-control-plane")
    assert "SchedulingDisabled" not in kubectl("get", "nodes")
