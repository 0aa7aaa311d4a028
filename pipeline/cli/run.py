"""Running the pipeline, and what it runs on."""

from typing import Annotated, Any

import typer

from pipeline.cli.options import Assignments, Labels, Limit, Workdir
from pipeline.errors import EXIT_USAGE, UserError


def run(
    data: Annotated[
        str | None,
        typer.Option(help="Folder, .tar.gz or .zip of photographs; without it, drawn faces."),
    ] = None,
    labels: Labels = None,
    profile: Annotated[
        str | None, typer.Option(help="sample, cpu or gpu; without it cpu for --data, else sample.")
    ] = None,
    limit: Limit = None,
    workdir: Workdir = None,
    set_: Assignments = None,
    accept_data: Annotated[
        bool,
        typer.Option("--accept-data", help="Go on, whatever the data gate says."),
    ] = False,
    reason: Annotated[str, typer.Option(help="Why the data are accepted; goes on record.")] = "",
    beam: Annotated[
        list[str] | None,
        typer.Option(metavar="OPTION", help="An option for Beam, as --runner=...; repeatable."),
    ] = None,
    verbose: Annotated[bool, typer.Option(help="Show the logs of TensorFlow, Beam, TFX.")] = False,
) -> None:
    """Run the whole pipeline: ingest, validate, train, evaluate, publish.

    Exit codes: 0 published or already serving, 3 no candidate passed, 4 stopped by the data gate,
    2 wrong usage or settings, 1 anything else.
    """
    from pipeline import settings

    if accept_data != bool(reason.strip()):
        raise UserError('--accept-data and --reason "why" belong together', EXIT_USAGE)
    overrides: dict[str, Any] = {
        "data.uri": data,
        "data.labels": str(labels) if labels else None,
        "data.limit": limit,
        "workdir": str(workdir) if workdir else None,
    }
    chosen = settings.load(
        profile or ("cpu" if data else "sample"),
        {key: value for key, value in overrides.items() if value is not None},
        set_ or [],
    )
    if beam:
        # The last of two equal options is the one that holds.
        chosen = chosen.model_copy(update={"beam_args": (*chosen.beam_args, *beam)})
    from pipeline import local

    raise typer.Exit(local.run(chosen, verbose, reason.strip()))


def doctor() -> None:
    """Show versions and devices, and what is wrong with them."""
    from pipeline.doctor import run_doctor

    raise typer.Exit(run_doctor())
