"""exec, attach and logs through real kubectl, and exec through the Python client (an older protocol)."""

from __future__ import annotations

import os
import pty
import select
import subprocess

import pytest

from tests.kubesim.conftest import Fresh
from tests.kubesim.kubectl import Kubectl
from tests.kubesim.objects import deployment
from tutor.clusters.provider import Role

WORKLOAD = {"command": ["sh", "/kubetutor/workload.sh"]}


@pytest.fixture
def pod(kubectl: Kubectl) -> str:
    kubectl("run", "p", "--image=busybox:1.36", "--", "sleep", "3600")
    return "p"


def test_exec_carries_output_errors_and_the_exit_code(kubectl: Kubectl, pod: str) -> None:
    done = kubectl.run("exec", pod, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert done.stderr == "err\ncommand terminated with exit code 7\n"
    assert kubectl("exec", pod, "--", "hostname") == "p\n"


def test_exec_carries_input(kubectl: Kubectl, pod: str) -> None:
    text = "".join(f"line {n}\n" for n in range(20_000))
    assert kubectl("exec", "-i", pod, "--", "cat", stdin=text) == text


def test_exec_of_what_is_not_there(kubectl: Kubectl, pod: str) -> None:
    assert kubectl.run("exec", pod, "--", "nosuch").returncode == 127
    assert "not found" in kubectl.fails("exec", "nopod", "--", "id")
    assert "container nope is not valid for pod p" in kubectl.fails("exec", pod, "-c", "nope", "--", "id")
    kubectl("run", "done", "--image=busybox", "--restart=Never", "--", "true")
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/done", "--timeout=30s")
    assert "completed pod" in kubectl.fails("exec", "done", "--", "id")


def test_a_terminal_session(kubectl: Kubectl, pod: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        kubectl.argv("exec", "-it", pod, "--", "sh"), env=kubectl.env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        _until(ours, b"# ")
        os.write(ours, b"hostname; echo $((6 * 7))\n")
        shown = _until(ours, b"42")
        assert b"\r\np\r\n" in shown
        os.write(ours, b"exit 5\n")
        assert process.wait(30) == 5
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _until(terminal: int, wanted: bytes) -> bytes:
    """What the terminal shows, up to a text."""
    seen = b""
    while wanted not in seen:
        assert select.select([terminal], [], [], 30)[0], seen
        seen += os.read(terminal, 4096)
    return seen


def test_exec_through_the_python_client(cluster: Fresh, pod: str) -> None:
    from kubernetes import client, config
    from kubernetes.stream import stream

    path = cluster.directory / "verifier"
    path.write_text(cluster.access(Role.VERIFIER).kubeconfig(namespace="default"))
    api = config.new_client_from_config(str(path))
    try:
        session = stream(
            client.CoreV1Api(api).connect_get_namespaced_pod_exec,
            pod,
            "default",
            command=["sh", "-c", "hostname; exit 3"],
            stdout=True,
            stderr=True,
            stdin=False,
            _preload_content=False,
        )
        session.run_forever(timeout=30)
        assert session.read_stdout() == "p\n"
        assert session.returncode == 3
        session.close()
    finally:
        api.close()


def test_logs_of_a_workload(kubectl: Kubectl) -> None:
    args = ["listen=8080/TCP:home", "call=self=tcp://127.0.0.1:8080", "every=1"]
    kubectl.apply(deployment(replicas=1, **WORKLOAD, args=args))
    process = subprocess.Popen(
        kubectl.argv("logs", "-f", "deploy/web"), env=kubectl.env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(3)]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert "start listen=8080/TCP:home" in lines[0]
    assert all(" call=self target=tcp://127.0.0.1:8080 outcome=" in line for line in lines[1:])
    whole = kubectl("logs", "deploy/web").splitlines(keepends=True)
    assert whole[:3] == lines
    assert len(kubectl("logs", "deploy/web", "--tail=1").splitlines()) == 1
    assert kubectl("logs", "deploy/web", "--tail=0") == ""
    assert kubectl("logs", "deploy/web", "--limit-bytes=5") == lines[0][:5]
    assert "start" not in kubectl("logs", "deploy/web", "--since-time=2100-01-01T00:00:00Z")
    stamp, _, line = kubectl("logs", "deploy/web", "--timestamps", "--since=1h").splitlines()[0].partition(" ")
    assert stamp.endswith("Z")
    assert line + "\n" == lines[0]
    assert "[pod/" in kubectl("logs", "-l", "app=web", "--prefix")


def test_a_followed_log_ends_with_its_pod(kubectl: Kubectl, pod: str) -> None:
    process = subprocess.Popen(kubectl.argv("logs", "-f", pod), env=kubectl.env, stdout=subprocess.PIPE, text=True)
    kubectl("delete", "pod", pod)
    out, _ = process.communicate(timeout=30)
    assert out == ""


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("logs", "p", "--previous"), 'previous terminated container "p" in pod "p" not found'),
        (("logs", "p", "-c", "nope"), "container nope is not valid for pod p"),
        (("logs", "nopod"), 'pods "nopod" not found'),
        (("port-forward", "p", "18089:80"), "port-forward is not available on a simulated cluster"),
        (("debug", "p", "--image=busybox"), "ephemeral containers are disabled for this cluster"),
        (("top", "pods"), "Metrics API not available"),
        (("cp", "p:/etc/passwd", "copied"), "command terminated with exit code 127"),
    ],
)
def test_what_it_cannot_do_it_says(kubectl: Kubectl, pod: str, args: tuple[str, ...], told: str) -> None:
    assert told in kubectl.fails(*args)
