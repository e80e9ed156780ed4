"""``kubetutor lab``: the labs from one's own terminal, on the same records as the pages."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tutor.cli.exits import Exit
from tutor.cli.output import emit_json, output_option, progress
from tutor.errors import NotFound, Unavailable
from tutor.settings import Settings

if TYPE_CHECKING:
    from tutor.app import Services
    from tutor.labs.service import LabView, StageView

_MARK = {"passed": ("passed", "green"), "failed": ("failed", "red"), "could-not-check": ("could not check", "yellow")}
_OPEN_LIMIT_S = 600


@click.group()
def lab() -> None:
    """Open, use, check, test and close labs from the terminal.

    A lab opened here is the same lab as on its page: what you earn counts in both. The simulated cluster
    needs `kubetutor serve` to be running; `lab test` brings its own.
    """


def _services() -> Services:
    from tutor.app import services

    return services(Settings.from_env())


def _current(s: Services, slug: str) -> LabView:
    view = s.labs.current(s.learner_id(), slug)
    if view is None:
        s.library.lab(slug)  # an unknown slug is told as such
        raise NotFound(f"The lab {slug} is not open.", cure=f"Open it with: kubetutor lab open {slug}")
    return view


@lab.command("list")
@output_option
def list_(output: str) -> int:
    """List the labs there are, and which of them is open."""
    s = _services()
    rows: list[dict[str, Any]] = []
    for item in s.library.labs():
        view = s.labs.current(s.learner_id(), item.slug)
        rows.append(
            {
                "slug": item.slug,
                "title": item.title,
                "minutes": item.minutes,
                "state": view.state if view else "not open",
                "provider": view.provider if view else None,
                "stages_passed": sum(st.earned_at is not None for st in view.stages) if view else 0,
                "stages": len(item.stages),
            }
        )
    if output == "json":
        emit_json(rows)
    else:
        for r in rows:
            click.echo(
                f"{r['slug']}: {r['title']} (about {r['minutes']} min) · {r['state']}, {r['stages_passed']}/{r['stages']} stages"
            )
    return Exit.OK


@lab.command("open")
@click.argument("slug")
@click.option(
    "--provider", type=click.Choice(["simulated", "kind"]), help="Kind of cluster.  [default: KUBETUTOR_PROVIDER]"
)
@output_option
def open_(slug: str, provider: str | None, output: str) -> int:
    """Open a lab and wait until its cluster is ready; an open one is taken up again."""
    s = _services()
    view = s.labs.open(s.learner_id(), slug, provider)
    with progress(f"Opening {slug} on a {view.provider} cluster") as tell:
        view = _wait_ready(s, view, tell)
    if view.state != "ready":
        raise Unavailable(f"The lab could not be opened: {view.reason}", cure="Run kubetutor doctor, then try again.")
    if output == "json":
        emit_json(_json(view))
    else:
        click.echo(f"The lab {slug} is ready on a {view.provider} cluster for {view.seconds_left // 60} minutes.")
        click.echo(
            f"  kubetutor lab shell {slug}   a shell whose kubectl speaks to it\n  kubetutor lab check {slug}   verify the stage you are at"
        )
    return Exit.OK


def _wait_ready(s: Services, view: LabView, tell: Any) -> LabView:
    deadline = time.monotonic() + _OPEN_LIMIT_S
    said = ""
    while view.state in ("requested", "starting") and time.monotonic() < deadline:
        time.sleep(0.1)
        view = s.labs.view(view.id, s.learner_id())
        if view.reason and view.reason != said:
            said = view.reason
            tell(said)
    return view


@lab.command()
@click.argument("slug")
def shell(slug: str) -> int:
    """Start a shell whose kubectl speaks to the open lab; `exit` leaves it."""
    s = _services()
    view = _current(s, slug)
    directory = s.settings.data_dir / "shells"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{view.id}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(s.labs.kubeconfig(view.id, s.learner_id()))
    program = os.environ.get("SHELL") or shutil.which("bash") or "/bin/sh"
    here = str(Path(sys.executable).parent)
    # kubectl installed with Kubetutor serves where the learner has none.
    env = os.environ | {
        "KUBECONFIG": str(path),
        "PATH": os.environ.get("PATH", "") + os.pathsep + here,
        "KUBETUTOR_LAB": slug,
    }
    env = {k: v for k, v in env.items() if not k.startswith("KUBETUTOR_") or k == "KUBETUTOR_LAB"}
    click.echo(f"kubectl now speaks to the lab {slug} (KUBECONFIG={path}). Type exit to leave.", err=True)
    os.execve(program, [program], env)  # noqa: S606 - replaces this process by the user's own shell


@lab.command()
@click.argument("slug")
@click.argument("stage", required=False)
@output_option
def check(slug: str, stage: str | None, output: str) -> int:
    """Verify a stage of the open lab by real traffic: the one named, or the first not yet passed.

    Exit code 0 passed, 1 failed, 2 could not be checked (the reason is ours, and told).
    """
    s = _services()
    view = _current(s, slug)
    target = stage or next((st.id for st in view.stages if st.earned_at is None), view.stages[-1].id)
    if target not in {st.id for st in view.stages}:
        raise NotFound(
            f"The lab {slug} has no stage {target}.", cure="Stages: " + ", ".join(st.id for st in view.stages)
        )
    with progress(f"Checking {target}"):
        result = s.labs.check(view.id, s.learner_id(), target)
    if output == "json":
        emit_json(asdict(result))
    else:
        _print_stage(result)
    outcomes = {c.outcome for c in result.checks}
    return Exit.NO if "failed" in outcomes else Exit.UNKNOWN if outcomes - {"passed"} else Exit.OK


def _print_stage(stage: StageView) -> None:
    click.echo(stage.title)
    for c in stage.checks:
        word, colour = _MARK.get(str(c.outcome), ("not checked", "white"))
        click.echo("  " + click.style(f"{word:>15}", fg=colour) + f"  {c.title}: {c.message}")
        for line in (*c.diagnosis, *c.advice):
            click.echo(f"{'':>19}{line}")


@lab.command()
@click.argument("slug")
def close(slug: str) -> int:
    """End the open lab and delete its cluster. What you have earned is kept."""
    s = _services()
    view = _current(s, slug)
    with progress(f"Ending {slug}"):
        s.labs.close(view.id, s.learner_id())
    click.echo(f"The lab {slug} is closed.")
    return Exit.OK


@lab.command()
@click.argument("slug")
@click.option("--provider", type=click.Choice(["simulated", "kind"]), default="simulated", show_default=True)
@click.option(
    "--only", "only", multiple=True, metavar="NAME", help="A solution or wrong repair by file name; may be repeated."
)
@output_option
def test(slug: str, provider: str, only: tuple[str, ...], output: str) -> int:
    """Prove a lab: each solution passes each stage, each wrong repair fails at the check it names.

    Runs on clusters of its own and needs no running server.
    """
    from tutor.app import lab_selftest

    settings = Settings.from_env()
    with progress(f"Testing {slug} on {provider} clusters") as tell:
        results = lab_selftest(settings, slug, provider, only, tell)
    bad = [r for r in results if not r.ok]
    if output == "json":
        emit_json([asdict(r) for r in results])
    else:
        for r in results:
            word = click.style("ok  ", fg="green") if r.ok else click.style("FAIL", fg="red")
            click.echo(f"{word}  {r.kind} {r.name}: {r.message}")
        click.echo(f"{len(results) - len(bad)} of {len(results)} as they should be on {provider}")
    return Exit.NO if bad or not results else Exit.OK


def _json(view: LabView) -> dict[str, Any]:
    return asdict(view)
