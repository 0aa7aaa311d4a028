"""How the last run's models compare."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Workdir
from pipeline.errors import EXIT_USAGE, UserError


def leaderboard(
    workdir: Workdir = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print it as Markdown, for a README.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known of it.")] = False,
) -> None:
    """Show how the last run's candidates compare, and where the page with their pictures is."""
    from pipeline.leaderboard import run_leaderboard

    if markdown and as_json:
        raise UserError("--markdown and --json do not go together", EXIT_USAGE)
    raise typer.Exit(run_leaderboard(workdir or Path("work"), markdown, as_json))


def tuning(
    workdir: Workdir = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the trials as JSON lines, with their curves.")
    ] = False,
    as_settings: Annotated[
        bool,
        typer.Option("--as-settings", help="Print the best as YAML for a profile."),
    ] = False,
) -> None:
    """List the trials of the last search for hyperparameters, the best first."""
    from pipeline.tuning import run_tuning

    raise typer.Exit(run_tuning(workdir or Path("work"), as_json, as_settings))
