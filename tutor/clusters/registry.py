"""The kinds of clusters of one installation, by name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tutor.clusters.kind import KindProvider
from tutor.clusters.provider import Provider
from tutor.clusters.simulated import SimulatedProvider
from tutor.errors import Unavailable
from tutor.kubesim import auth
from tutor.settings import Settings


def sim_directory(settings: Settings) -> Path:
    """Where the process that serves simulated clusters keeps its certificates and its secret."""
    return settings.data_dir / "clusters"


def sim_keys(directory: Path) -> tuple[str, bytes]:
    """(certificate authority as PEM, secret) of the simulated clusters.

    :raises Unavailable: the serving process has not made them yet, or they cannot be read.
    """
    try:
        return (directory / "ca.crt").read_text(), auth.load_secret(directory)
    except FileNotFoundError as e:
        raise Unavailable(
            "The process that serves simulated clusters has not run here yet.", cure="Start it with: kubetutor serve"
        ) from e
    except OSError as e:
        raise Unavailable(
            f"The keys of the simulated clusters cannot be read: {e.strerror}.",
            cure="Check the owner of the data directory.",
        ) from e


def providers(settings: Settings) -> Mapping[str, Provider]:
    """Every kind of cluster this installation knows, whether or not it can run here.

    :raises Unavailable: the data directory cannot be used.
    """
    sim = sim_directory(settings)
    try:
        installation = hashlib.sha256(b"kind clusters of " + auth.load_secret(sim)).hexdigest()
    except OSError as e:
        raise Unavailable(
            f"The data directory {settings.data_dir} cannot be used: {e.strerror}.",
            cure="Make it writable, or set KUBETUTOR_DATA_DIR.",
        ) from e
    return {
        "simulated": SimulatedProvider(f"https://127.0.0.1:{settings.api_port}", lambda: sim_keys(sim)),
        "kind": KindProvider(
            settings.data_dir / "kind", installation, command=settings.kind_command, image=settings.kind_image
        ),
    }
