"""What a marked test needs from the machine, how to tell whether it is there, and the cure when it is not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Need:
    """One outside tool: its marker, a probe, and the line that installs it."""

    marker: str
    what: str
    present: Callable[[], bool]
    cure: str


@cache
def chromium() -> str:
    """Path of Chromium or Chrome, or an empty string."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    return ""


@cache
def postgres_bin() -> str:
    """Directory of PostgreSQL's server programs, or an empty string."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    path = str(found[-1]) if found else shutil.which("initdb")
    return str(Path(path).parent) if path else ""


@cache
def kind_ready() -> bool:
    """The kind command and a container engine that answers."""
    if not shutil.which("kind") or not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0


NEEDS = (
    Need("browser", "Chromium", lambda: bool(chromium()), "sudo apt-get install chromium"),
    Need("postgres", "PostgreSQL's server programs", lambda: bool(postgres_bin()), "sudo apt-get install postgresql"),
    Need(
        "kind",
        "the kind command and a container engine",
        kind_ready,
        "install Docker and kind (https://kind.sigs.k8s.io)",
    ),
)
