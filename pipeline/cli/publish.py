"""What is served: its card, its origin, and the way back."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ServingDir, TrackingUri, Workdir
from pipeline.errors import EXIT_USAGE, UserError


def explain(
    version: Annotated[int | None, typer.Argument(help="Without it, the newest.")] = None,
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known of it.")] = False,
) -> None:
    """Show where a served version came from: data, training, figures, and who let it pass."""
    from pipeline.explain import run_explain

    raise typer.Exit(run_explain(workdir or Path("work"), version, serving_dir, as_json))


def rollback(
    version: Annotated[
        int | None, typer.Argument(help="Without it, the newest of other content.")
    ] = None,
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
    tracking_uri: TrackingUri = None,
    reason: Annotated[str, typer.Option(help="Why; goes on record.")] = "",
) -> None:
    """Serve an earlier version's content again, under a new and higher number."""
    from pipeline.rollback import run_rollback

    raise typer.Exit(
        run_rollback(workdir or Path("work"), version, reason, serving_dir, tracking_uri)
    )


def card(
    version: Annotated[
        int | None, typer.Argument(help="A served version; without it, the last run's model.")
    ] = None,
    workdir: Workdir = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print it as Markdown.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write its page here, pictures and all.")
    ] = None,
) -> None:
    """Show where the model card is: what it is for, how good it is, and for whom."""
    from pipeline.card import run_card

    if markdown and html:
        raise UserError("--markdown and --html do not go together", EXIT_USAGE)
    raise typer.Exit(run_card(workdir or Path("work"), version, markdown, html))
