"""The server as a process: killed without warning it loses nothing that was answered; a second one says why it will not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kubesim.kubectl import Kubectl
from tests.kubesim.objects import deployment, policy, service
from tests.servers import free_port
from tutor.clusters.provider import ClusterSpec, Handle, Role
from tutor.clusters.registry import providers
from tutor.settings import Settings

_SERVE = """
import sys
from tutor.app import serve_clusters
from tutor.errors import KubetutorError
from tutor.settings import Settings
try:
    serve_clusters(Settings.from_env(), lambda: print("ready", flush=True))
except KubetutorError as e:
    sys.exit(f"{e.message} {e.cure}")
"""


class Server:
    """One process that serves simulated clusters."""

    def __init__(self, data_dir: Path, port: int, **env: str) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("KUBETUTOR_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            env=clean | {"KUBETUTOR_DATA_DIR": str(data_dir), "KUBETUTOR_API_PORT": str(port)} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> bool:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip() == "ready"

    def refusal(self) -> str:
        """What it says when it does not start."""
        _, complaint = self.process.communicate(timeout=60)
        assert self.process.returncode == 1
        return complaint

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.communicate(timeout=30)


@contextmanager
def serving(data_dir: Path, port: int, how: signal.Signals = signal.SIGKILL, **env: str) -> Iterator[Server]:
    """A server that is ready, ended in some way afterwards."""
    server = Server(data_dir, port, **env)
    try:
        assert server.ready()
        yield server
    finally:
        server.end(how)


def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    settings = Settings.from_env({}, data_dir=tmp_path, api_port=port)
    config = tmp_path / "kube" / "config"
    config.parent.mkdir()
    kubectl = Kubectl(config)
    everything = ("get", "all,netpol,endpointslices,cm,events,nodes,ns", "-A", "-o", "json")
    with serving(tmp_path, port):
        provider = providers(settings)["simulated"]
        handle = provider.create(ClusterSpec("kept"))
        config.write_text(provider.access(handle, Role.LEARNER).kubeconfig(namespace="default"))
        args = ["listen=8080/TCP:home", "call=web=tcp://web:80", "every=1"]
        kubectl.apply(deployment(command=["sh", "/kubetutor/workload.sh"], args=args), service())
        kubectl.apply(policy())
        before = kubectl(*everything)
        pod = kubectl("get", "pods", "-o", "name").split()[0]
        written = kubectl("logs", pod)
    with serving(tmp_path, port):
        assert kubectl(*everything) == before
        assert kubectl("logs", pod).startswith(written)
        assert provider.create(ClusterSpec("kept")) == handle
        kubectl("delete", "netpol", "deny")
        kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=20s")
    with serving(tmp_path, port, signal.SIGTERM):
        assert kubectl("get", "netpol", "-o", "name") == ""


def test_a_one_off_pod_is_run_again_after_a_crash(tmp_path: Path) -> None:
    port = free_port()
    settings = Settings.from_env({}, data_dir=tmp_path, api_port=port)
    kubectl = Kubectl(tmp_path / "config")
    with serving(tmp_path, port):
        provider = providers(settings)["simulated"]
        access = provider.access(provider.create(ClusterSpec("kept")), Role.LEARNER)
        kubectl.config.write_text(access.kubeconfig(namespace="default"))
        kubectl("run", "slow", "--image=busybox:1.36", "--restart=Never", "--", "ping", "-c", "3", "127.0.0.1")
    with serving(tmp_path, port):
        kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/slow", "--timeout=30s")
        assert "3 packets transmitted" in kubectl("logs", "slow")


def test_a_second_server_says_that_there_is_one(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port):
        told = Server(tmp_path, free_port()).refusal()
        assert "Another Kubetutor already serves the simulated clusters" in told
        assert "Stop it first" in told
    with serving(tmp_path, port, signal.SIGTERM):
        provider = providers(Settings.from_env({}, data_dir=tmp_path, api_port=port))["simulated"]
        assert provider.available().ok


def test_a_second_server_on_the_database_of_another_directory(tmp_path: Path) -> None:
    shared = {"KUBETUTOR_DATABASE_URL": f"sqlite:///{tmp_path / 'shared.db'}"}
    with serving(tmp_path / "one", free_port(), **shared):
        told = Server(tmp_path / "two", free_port(), **shared).refusal()
    assert "another process already serves the simulated clusters of" in told


def test_watches_do_not_hold_up_the_end(tmp_path: Path) -> None:
    port = free_port()
    kubectl = Kubectl(tmp_path / "config")
    with serving(tmp_path, port, signal.SIGTERM):
        provider = providers(Settings.from_env({}, data_dir=tmp_path, api_port=port))["simulated"]
        access = provider.access(Handle("simulated", provider.create(ClusterSpec("kept")).lab_id), Role.LEARNER)
        kubectl.config.write_text(access.kubeconfig(namespace="kube-system"))
        watching = subprocess.Popen(
            kubectl.argv("get", "pods", "-w"),
            env=kubectl.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert watching.stdout is not None
        assert "coredns" in watching.stdout.readlines(1)[0] + watching.stdout.readline()
    watching.wait(30)
    watching.stdout.close()
