"""The ``kubetutor`` command. Each subcommand lives in a module of its own and is imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from tutor import __version__
from tutor.cli.exits import Exit, exit_for
from tutor.errors import KubetutorError

_COMMANDS = {
    "serve": ("tutor.cli.serve:serve", "Start the pages, the simulated clusters and the worker."),
    "doctor": ("tutor.cli.doctor:doctor", "Name what this machine lacks, and the cure."),
    "lab": ("tutor.cli.lab:lab", "Open, use, check, test and close labs from the terminal."),
    "content": ("tutor.cli.content:content", "Check lessons, quizzes and labs."),
    "policy": ("tutor.cli.policy:policy", "Ask the NetworkPolicy engine what a flow may do, and why."),
    "sim": ("tutor.cli.sim:sim", "Run one empty simulated cluster until you stop it."),
}

_EPILOG = """\b
Exit codes:
  0   done; the answer is yes
  1   done; the answer is no (a check failed, a flow is denied, content has problems)
  2   it cannot be said (undefined by the specification, or could not be checked)
  64  the command was called wrongly
  65  what was given to it cannot be used (a file, a name, a value)
  69  something it needs is missing or does not answer; the message says what to do
  70  a fault in Kubetutor itself
"""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table, so that --help imports nothing.
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Lazy, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="kubetutor")
def cli() -> None:
    """Lessons, quizzes and Kubernetes labs whose repairs are verified by real traffic.

    Start with `kubetutor serve` and open http://127.0.0.1:8000.
    """


def main(argv: list[str] | None = None) -> None:
    """Entry point of the command: runs it and turns every error into one line and an exit code."""
    try:
        result: Any = cli.main(args=argv, prog_name="kubetutor", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as e:
        e.show()
        sys.exit(Exit.USAGE)
    except KubetutorError as e:
        click.echo(f"kubetutor: {e.message}", err=True)
        if e.cure:
            click.echo(f"  {e.cure}", err=True)
        sys.exit(exit_for(e))
    except BrokenPipeError:
        # The reader (head, a pager) has left: nothing to report.
        sys.stderr.close()
        sys.exit(Exit.OK)
    sys.exit(result if isinstance(result, int) else Exit.OK)
