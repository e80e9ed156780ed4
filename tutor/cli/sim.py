"""``kubetutor sim``: an empty simulated cluster for anybody, until it is stopped."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

from tutor.cli.exits import Exit
from tutor.errors import InvalidInput
from tutor.settings import Settings

_NAME = "sim"


@click.command()
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where to write the kubeconfig; removed again when the cluster stops. An existing file is not touched.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Port of its API.  [default: any free port]")
@click.option("--namespace", default="default", show_default=True, help="The kubeconfig's default namespace.")
def sim(kubeconfig: Path, port: int | None, namespace: str) -> int:
    """Run one empty simulated cluster until you stop it (Ctrl-C).

    Real kubectl uses it: kubectl --kubeconfig FILE get pods -A. Nothing of it is kept afterwards.
    """
    from tutor.clusters.embedded import simulated
    from tutor.clusters.provider import ClusterSpec, Role

    settings = Settings.from_env()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    click.echo("Starting a simulated cluster ...", err=True)
    with simulated(settings.sim_timeout_scale, port or 0) as provider:
        handle = provider.create(ClusterSpec(_NAME))
        access = provider.access(handle, Role.LEARNER)
        _write(kubeconfig, access.kubeconfig(namespace=namespace, context="kubetutor-sim"))
        try:
            click.echo(f"A simulated cluster is ready: kubectl --kubeconfig {kubeconfig} get pods -A")
            click.echo("It keeps running until you stop it with Ctrl-C; nothing of it is kept.")
            stop.wait()
        finally:
            kubeconfig.unlink(missing_ok=True)
    return Exit.OK


def _write(path: Path, text: str) -> None:
    """A new file that only its owner can read.

    :raises InvalidInput: it exists already, or cannot be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
            f.write(text)
    except FileExistsError as e:
        raise InvalidInput(
            f"{path} exists already.", cure="Name a new file: an existing kubeconfig is never overwritten."
        ) from e
    except OSError as e:
        raise InvalidInput(f"{path} cannot be written: {e.strerror}.") from e
