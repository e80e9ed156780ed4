"""Real kubectl against one simulated cluster."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tutor.clusters.process import kubectl_path

_LIMIT_S = 60


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a kubeconfig of its own; ``config`` and everything it caches live in a directory of the test."""

    config: Path

    def argv(self, *args: str) -> list[str]:
        return [str(kubectl_path()), *args]

    @property
    def env(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.config), "HOME": str(self.config.parent), "PATH": "/usr/bin:/bin"}

    def run(self, *args: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever that is."""
        return subprocess.run(
            self.argv(*args),
            env=self.env | env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )

    def __call__(self, *args: str, stdin: str = "", **env: str) -> str:
        """Run it; it must succeed. Gives what it printed."""
        done = self.run(*args, stdin=stdin, **env)
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}"
        return done.stdout

    def fails(self, *args: str, stdin: str = "") -> str:
        """Run it; it must fail. Gives what it complained about."""
        done = self.run(*args, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(args)} succeeded: {done.stdout}"
        return done.stderr

    def json(self, *args: str) -> Any:
        """``get … -o json``, decoded."""
        return json.loads(self("get", *args, "-o", "json"))

    def apply(self, *objects: Any, options: tuple[str, ...] = ()) -> str:
        """Apply objects written as dicts."""
        return self("apply", *options, "-f", "-", stdin=yaml.safe_dump_all(objects))
