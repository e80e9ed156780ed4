"""The simulated clusters' API in a process of its own, on a free loopback port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port
from tutor.settings import Settings

_SERVE = """
import sys
from tutor.app import serve_clusters
from tutor.settings import Settings
serve_clusters(Settings.from_env(), lambda: print("ready", flush=True))
"""


@contextmanager
def sim_server(data_dir: Path, **more: object) -> Iterator[Settings]:
    """Serve until the block ends; gives the settings that find the server."""
    settings = Settings.from_env({}, data_dir=data_dir, api_port=free_port(), **more)
    env = {k: v for k, v in os.environ.items() if not k.startswith("KUBETUTOR_")}
    env |= {"KUBETUTOR_DATA_DIR": str(data_dir), "KUBETUTOR_API_PORT": str(settings.api_port)}
    process = subprocess.Popen([sys.executable, "-c", _SERVE], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready", "the simulated clusters did not start"
        yield settings
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()
