"""``kubetutor doctor``: everything this machine must have, each with its cure."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import click

from tutor.cli.exits import Exit
from tutor.cli.output import emit_json, output_option, progress
from tutor.errors import KubetutorError
from tutor.settings import Settings

_MIN_FREE_MB = 200


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report. ``optional`` things are named but do not fail it."""

    name: str
    state: Literal["ok", "missing", "optional"]
    detail: str
    cure: str = ""


@click.command()
@output_option
def doctor(output: str) -> int:
    """Name each thing that is missing on this machine, and its cure.

    Exit code 1 when something that Kubetutor cannot do without is missing.
    """
    settings = Settings.from_env()
    with progress("Looking at this machine"):
        findings = [
            f for look in (_python, _data_dir, _database, _ports, _kubectl, _content, _clusters) for f in look(settings)
        ]
    missing = [f for f in findings if f.state == "missing"]
    if output == "json":
        emit_json({"ok": not missing, "findings": [asdict(f) for f in findings]})
    else:
        _print(findings)
    return Exit.NO if missing else Exit.OK


def _print(findings: list[Finding]) -> None:
    marks = {"ok": ("ok", "green"), "missing": ("missing", "red"), "optional": ("not here", "yellow")}
    for f in findings:
        word, colour = marks[f.state]
        click.echo(click.style(f"{word:>9}", fg=colour) + f"  {f.name}: {f.detail}")
        if f.cure:
            click.echo(f"{'':>11}{f.cure}")
    missing = sum(f.state == "missing" for f in findings)
    click.echo(f"{missing} things are missing." if missing else "Kubetutor can run here: kubetutor serve")


def _python(_: Settings) -> Iterator[Finding]:
    yield Finding("Python", "ok", f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}")


def _data_dir(settings: Settings) -> Iterator[Finding]:
    where = settings.data_dir
    cure = f"Make {where} writable, or set KUBETUTOR_DATA_DIR to a directory that is."
    try:
        where.mkdir(parents=True, exist_ok=True)
        probe = where / f".doctor-{os.getpid()}"
        probe.write_text("x")
        probe.unlink()
    except OSError as e:
        yield Finding("data directory", "missing", f"{where} cannot be written: {e.strerror}", cure)
        return
    free = shutil.disk_usage(where).free // 1024**2
    if free < _MIN_FREE_MB:
        yield Finding(
            "data directory", "missing", f"{where} has {free} MB free, {_MIN_FREE_MB} MB are needed", "Free some space."
        )
    else:
        yield Finding("data directory", "ok", f"{where}, {free} MB free")


def _database(settings: Settings) -> Iterator[Finding]:
    def look() -> str:
        from tutor.store.base import Database
        from tutor.store.schema import upgrade

        database = Database(settings.database)
        try:
            upgrade(database)
        finally:
            database.close()
        return "answers, schema up to date"

    yield _try("database", look)


def _ports(settings: Settings) -> Iterator[Finding]:
    for name, port, variable in (
        ("port of the pages", settings.port, "KUBETUTOR_PORT"),
        ("port of the simulated clusters", settings.api_port, "KUBETUTOR_API_PORT"),
    ):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((settings.host, port))
            except OSError as e:
                yield Finding(
                    name,
                    "missing",
                    f"{port}: {e.strerror}",
                    f"Stop what uses it (another kubetutor serve?) or set {variable}.",
                )
                continue
        yield Finding(name, "ok", f"{port} is free")


def _kubectl(settings: Settings) -> Iterator[Finding]:
    def look() -> str:
        from tutor.clusters.process import kubectl_path, kubectl_version

        path = kubectl_path(settings.kubectl_command)
        return f"{kubectl_version(path)} ({path})"

    yield _try("kubectl", look)


def _content(settings: Settings) -> Iterator[Finding]:
    from tutor.content.library import Library

    library = Library(settings.content_dir)
    if not library.lessons():
        yield Finding(
            "lessons",
            "missing",
            f"none in {settings.content_dir}",
            "Set KUBETUTOR_CONTENT_DIR to the directory that holds lessons/.",
        )
    elif library.problems:
        yield Finding("lessons", "missing", f"{len(library.problems)} problems", "Run: kubetutor content lint")
    else:
        yield Finding("lessons", "ok", f"{len(library.lessons())} lessons, {len(library.labs())} labs, no problems")


def _clusters(settings: Settings) -> Iterator[Finding]:
    from tutor.clusters.registry import providers

    for name, provider in providers(settings).items():
        if name == "simulated":
            continue  # runs inside `kubetutor serve`, which is not up while the doctor looks
        found = provider.available()
        state: Literal["ok", "optional"] = "ok" if found.ok else "optional"
        yield Finding(f"{name} clusters", state, found.reason or "can run here", found.cure)


def _try(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", look())
    except KubetutorError as e:
        return Finding(name, "missing", e.message, e.cure)
