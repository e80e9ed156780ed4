"""The real workload script: its copies in the lab's manifests, its syntax, and its agreement with the simulator."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tutor.kubesim import flowlog, images

LABS = Path(__file__).parents[3] / "labs"
SCRIPT = LABS / "netpol-dns" / "workload.sh"


def copies() -> list[tuple[str, str]]:
    """(file and namespace, text) of every ConfigMap ``workload`` in a lab's manifests."""
    return [
        (f"{path.name}:{d['metadata'].get('namespace')}", d["data"]["workload.sh"])
        for path in sorted(LABS.glob("*/manifests/*.yaml"))
        for d in yaml.safe_load_all(path.read_text())
        if d and d["kind"] == "ConfigMap" and d["metadata"]["name"] == "workload"
    ]


def test_the_copies_in_the_manifests_are_the_script() -> None:
    found = copies()
    if not found:
        pytest.skip("no lab has a ConfigMap named workload yet")
    assert [name for name, text in found if text != SCRIPT.read_text()] == []


def test_the_script_and_the_simulator_agree_on_limit_and_pause() -> None:
    text = SCRIPT.read_text()
    assert re.search(r"^limit=(\d+)", text, re.M)[1] == str(flowlog._LIMIT_MS // 1000)  # type: ignore[index]
    every = images.process({"image": "busybox", "command": ["sh", images.WORKLOAD_SCRIPT], "args": []}).every
    assert re.search(r"^every=(\d+)", text, re.M)[1] == str(every)  # type: ignore[index]
    assert f"sleep {flowlog._FIRST_S}\n" in text


def test_the_script_is_good_shell() -> None:
    shell = shutil.which("dash") or shutil.which("sh")
    assert shell
    checked = subprocess.run([shell, "-n", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
