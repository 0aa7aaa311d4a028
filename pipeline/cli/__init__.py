"""The `agegender` command. Nothing heavy is imported until a command needs it.

A new command is a function in a module of this package, which imports what it needs in its body, or
a typer app with commands of its own; either is then named in `COMMANDS`.
"""

import sys
from collections.abc import Callable

import typer

from pipeline.cli import ask, data, demo, export, judge, kubeflow, publish, run, runs, serve
from pipeline.errors import UserError

# By the panel of `agegender --help` that they are shown in.
COMMANDS: dict[str, tuple[Callable[..., None] | typer.Typer, ...]] = {
    "Train": (run.run, run.doctor, data.app),
    "Judge": (judge.leaderboard, judge.tuning),
    "Publish and serve": (
        *(serve.serve, ask.predict, demo.demo, export.app),
        *(publish.card, publish.explain, publish.rollback),
    ),
    "On record": (runs.mlflow, runs.app),
    "On a cluster": (kubeflow.app,),
}

app = typer.Typer(
    name="agegender",
    help="Photographs of faces in, a published age-and-gender model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for panel, commands in COMMANDS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=panel)
        else:
            app.command(rich_help_panel=panel)(command)


def main() -> None:
    """Runs the command; a mistake of the user's ends in one line."""
    try:
        app()
    except UserError as error:
        typer.echo(f"agegender: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("agegender: interrupted", err=True)
        sys.exit(1)
