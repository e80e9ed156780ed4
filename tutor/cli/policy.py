"""``kubetutor policy``: the NetworkPolicy engine on files, without a cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tutor.cli.exits import Exit
from tutor.cli.output import emit_json, output_option
from tutor.errors import InvalidInput

_MAX_BYTES = 200 * 1024 * 1024


@click.group()
def policy() -> None:
    """Ask the NetworkPolicy engine what a flow may do, and why.

    Manifests come from files, directories or standard input (-), or from a dump made with
    `kubectl get ns,pods,svc,endpointslices,netpol,nodes -A -o yaml`.
    """


def _flow_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.option(
            "-f", "files", multiple=True, required=True, metavar="FILE", help="Manifest file, directory, or -."
        ),
        click.option("--from", "source", required=True, metavar="ENDPOINT", help="ns/pod, ip:ADDRESS or node:NAME."),
        click.option(
            "--to",
            "destination",
            required=True,
            metavar="ENDPOINT",
            help="ns/pod, svc:ns/name, ip:ADDRESS or node:NAME.",
        ),
        click.option(
            "--port", required=True, metavar="PORT", help="For example 53/UDP; TCP when no protocol is given."
        ),
        output_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@policy.command("eval")
@_flow_options
def eval_(files: tuple[str, ...], source: str, destination: str, port: str, output: str) -> int:
    """Whether one flow is allowed. Exit code 0 allowed, 1 denied, 2 undefined by the specification."""
    verdict = _decide(files, source, destination, port)
    if output == "json":
        emit_json(verdict)
    else:
        click.echo({True: "allowed", False: "denied", None: "undefined"}[verdict["allowed"]] + f": {verdict['reason']}")
    return _exit(verdict)


@policy.command()
@_flow_options
def explain(files: tuple[str, ...], source: str, destination: str, port: str, output: str) -> int:
    """Why a flow is allowed or denied: each direction, each policy that selects the pod, the rule that matched or nearly did."""
    verdict = _decide(files, source, destination, port)
    if output == "json":
        emit_json(verdict)
    else:
        click.echo("\n".join(verdict["explanation"]))
    return _exit(verdict)


def _exit(verdict: dict[str, Any]) -> Exit:
    allowed = verdict["allowed"]
    return Exit.UNKNOWN if allowed is None else Exit.OK if allowed else Exit.NO


def _decide(files: tuple[str, ...], source: str, destination: str, port: str) -> dict[str, Any]:
    from tutor.policy import eval_flow, load_documents, verdict_json

    return verdict_json(eval_flow(load_documents(_read(files)), source, destination, port))


def _read(files: tuple[str, ...]) -> list[tuple[str, str]]:
    """(name, text) of every file named; a directory stands for the .yaml, .yml and .json files in it."""
    texts = []
    for name in files:
        if name == "-":
            texts.append(("standard input", sys.stdin.read(_MAX_BYTES)))
            continue
        path = Path(name)
        found = [path]
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix in {".yaml", ".yml", ".json"})
        if not found:
            raise InvalidInput(f"{name} holds no .yaml, .yml or .json file.")
        for p in found:
            try:
                if p.stat().st_size > _MAX_BYTES:
                    raise InvalidInput(f"{p} is larger than {_MAX_BYTES // 1024**2} MB.", cure="Dump fewer namespaces.")
                texts.append((str(p), p.read_text()))
            except (OSError, UnicodeDecodeError) as e:
                raise InvalidInput(f"{p} cannot be read: {e}.") from e
    return texts
