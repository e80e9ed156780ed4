"""The command line: help, exit codes, JSON, and errors that name the cure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers import environment, free_port

ROOT = Path(__file__).parent.parent.parent
LABS = str(ROOT / "labs" / "netpol-dns" / "manifests")


def run(*args: str, data: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tutor.cli", *args],
        env=environment(data, **env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "command", [[], ["serve"], ["doctor"], ["lab"], ["lab", "test"], ["content"], ["policy", "eval"], ["sim"]]
)
def test_every_command_explains_itself(command: list[str], tmp_path: Path) -> None:
    done = run(*command, "--help", data=tmp_path)
    assert done.returncode == 0
    assert "Usage: kubetutor" in done.stdout


@pytest.mark.parametrize("args", [["nonsense"], ["policy", "eval"], ["lab", "open"], ["serve", "--port", "x"]])
def test_a_wrong_call_ends_with_64(args: list[str], tmp_path: Path) -> None:
    done = run(*args, data=tmp_path)
    assert done.returncode == 64
    assert "Usage:" in done.stderr


def test_eval_answers_with_its_exit_code_and_json(tmp_path: Path) -> None:
    flow = ["policy", "eval", "-f", LABS, "--from", "partner/scraper", "--to", "shop/web", "--port", "8080"]
    done = run(*flow, "--output", "json", data=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["allowed"] is True


def test_a_pod_that_does_not_exist_ends_with_65_and_names_those_that_do(tmp_path: Path) -> None:
    done = run("policy", "explain", "-f", LABS, "--from", "shop/x", "--to", "shop/web", "--port", "80", data=tmp_path)
    assert done.returncode == 65
    assert "shop/web" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_is_refused_by_name(tmp_path: Path) -> None:
    done = run("doctor", data=tmp_path, KUBETUTOR_PROT="1")
    assert done.returncode == 65
    assert "KUBETUTOR_PROT" in done.stderr


def test_another_address_than_loopback_is_refused_with_the_reason(tmp_path: Path) -> None:
    done = run("serve", "--host", "0.0.0.0", data=tmp_path)
    assert done.returncode == 65
    assert "accounts" in done.stderr


def test_a_port_in_use_is_told_with_its_cure(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port), data=tmp_path, KUBETUTOR_API_PORT=str(free_port()))
    assert done.returncode == 69
    assert f"Port {port} is in use" in done.stderr
    assert "KUBETUTOR_PORT" in done.stderr


def test_the_doctor_tells_in_json_what_there_is(tmp_path: Path) -> None:
    done = run(
        "doctor",
        "--output",
        "json",
        data=tmp_path,
        KUBETUTOR_PORT=str(free_port()),
        KUBETUTOR_API_PORT=str(free_port()),
    )
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert report["ok"] is True
    assert {"Python", "data directory", "database", "kubectl", "lessons"} <= {f["name"] for f in report["findings"]}


def test_the_content_of_this_installation_has_no_problem(tmp_path: Path) -> None:
    done = run("content", "lint", data=tmp_path)
    assert done.returncode == 0, done.stdout


def test_labs_are_listed_without_a_running_server(tmp_path: Path) -> None:
    done = run("lab", "list", "--output", "json", data=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["slug"] == "netpol-dns"


def test_a_simulated_cluster_for_anybody(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    process = subprocess.Popen(
        [sys.executable, "-m", "tutor.cli", "sim", "--kubeconfig", str(config)],
        env=environment(tmp_path / "data"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "is ready" in line:
                break
        kubectl = Path(sys.executable).with_name("kubectl")
        command = [str(kubectl), "--kubeconfig", str(config), "get", "pods", "-A"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ), check=False)
        assert "coredns" in done.stdout, done.stderr
        assert config.stat().st_mode & 0o077 == 0
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    deadline = time.monotonic() + 5
    while config.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not config.exists()
    assert process.returncode == 0
