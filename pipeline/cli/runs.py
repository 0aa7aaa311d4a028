"""The runs on record, on a terminal and on MLflow's page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import TrackingUri, Workdir
from pipeline.errors import EXIT_USAGE, UserError

if TYPE_CHECKING:
    from pipeline.tracking.place import Place

app = typer.Typer(
    name="runs", help="Look at the runs on record in MLflow.", invoke_without_command=True
)


@app.callback()
def list_runs(
    context: typer.Context,
    workdir: Workdir = None,
    tracking_uri: TrackingUri = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest N.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known.")] = False,
) -> None:
    """List the runs on record, newest first."""
    if context.invoked_subcommand:
        # `agegender runs --workdir w show` is `agegender runs show --workdir w`.
        told = {"workdir": workdir, "tracking_uri": tracking_uri}
        context.default_map = {context.invoked_subcommand: told}
    else:
        from pipeline import runs as shown

        raise typer.Exit(shown.run_list(_place(workdir, tracking_uri), as_json, limit))


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="The beginning of its id, or `last`.")] = "last",
    workdir: Workdir = None,
    tracking_uri: TrackingUri = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known.")] = False,
) -> None:
    """Show a run: what it was told, what came of it, and the runs inside it."""
    from pipeline import runs as shown

    raise typer.Exit(shown.run_show(_place(workdir, tracking_uri), run, as_json))


@app.command()
def compare(
    run: Annotated[list[str], typer.Argument(help="Two or more, each by the beginning of its id.")],
    workdir: Workdir = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Show how runs differ, in figures, settings and code."""
    if len(run) < 2:
        raise UserError("runs compare takes two runs or more", EXIT_USAGE)
    from pipeline import runs as shown

    raise typer.Exit(shown.run_compare(_place(workdir, tracking_uri), run))


@app.command()
def sync(workdir: Workdir = None, tracking_uri: TrackingUri = None) -> None:
    """Deliver to MLflow what waits because it did not answer."""
    from pipeline import runs as shown

    raise typer.Exit(shown.run_sync(_place(workdir, tracking_uri)))


def _place(workdir: Path | None, tracking_uri: str | None) -> "Place":
    from pipeline.tracking import place

    return place.of_last_run(workdir or Path("work"), tracking_uri)


def mlflow(
    workdir: Workdir = None,
    tracking_uri: TrackingUri = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
) -> None:
    """Open MLflow's page on the runs on record."""
    from pipeline.tracking.page import run_page

    raise typer.Exit(run_page(_place(workdir, tracking_uri), host, port))
