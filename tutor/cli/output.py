"""How commands print: text for people, ``--output json`` for programs, progress on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

output_option = click.option(
    "--output",
    "-o",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or JSON for programs.",
)


def emit_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show that something is going on, on standard error: a spinner on a terminal, plain lines elsewhere.

    Yields a function that changes the text.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(text, highlight=False, markup=False)
        yield lambda t: console.print(t, highlight=False, markup=False)
        return
    with console.status(text) as status:
        yield status.update
