"""``kubetutor content``: what an author runs before showing a lesson to anyone."""

from __future__ import annotations

from pathlib import Path

import click

from tutor.cli.exits import Exit
from tutor.cli.output import emit_json, output_option
from tutor.settings import Settings


@click.group()
def content() -> None:
    """Check lessons, quizzes and labs."""


@content.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@output_option
def lint(directory: Path | None, output: str) -> int:
    """Read every lesson, quiz and lab and name each problem with its file and line.

    DIRECTORY holds lessons/, quizzes/ and labs/; the installed content when omitted. Exit code 1 when
    there are problems.
    """
    from tutor.content.library import Library

    library = Library(directory or Settings.from_env().content_dir)
    problems = library.problems
    if output == "json":
        emit_json([{"file": str(p.file), "line": p.line, "message": p.message} for p in problems])
    else:
        for p in problems:
            click.echo(f"{p.file}:{p.line}: {p.message}")
        counts = f"{len(library.lessons())} lessons, {len(library.quizzes())} quizzes, {len(library.labs())} labs"
        click.echo(f"{counts}: " + (f"{len(problems)} problems" if problems else "no problems"))
    return Exit.NO if problems else Exit.OK
