"""The `agegender` command. Nothing heavy is imported until a command needs it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import EXIT_USAGE, UserError

if TYPE_CHECKING:
    from pipeline.tracking.place import Place

app = typer.Typer(
    name="agegender",
    help="Photographs of faces in, a published age-and-gender model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data = typer.Typer(help="Look at data, or draw some.", no_args_is_help=True)
app.add_typer(data, name="data")
runs = typer.Typer(help="Look at the runs on record in MLflow.", invoke_without_command=True)
app.add_typer(runs, name="runs")

Limit = Annotated[int | None, typer.Option(min=1, help="Use only N files, spread over all.")]

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; repeatable."),
]

Workdir = Annotated[Path | None, typer.Option(help="Where everything is kept (default: ./work).")]


ServingDir = Annotated[
    Path | None,
    typer.Option(help="Where models are served (default: serving in the work folder)."),
]


@app.command()
def run(
    data: Annotated[
        str | None,
        typer.Option(help="Folder, .tar.gz or .zip of photographs; without it, drawn faces."),
    ] = None,
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


@app.command()
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


@app.command()
def doctor() -> None:
    """Show versions and devices, and what is wrong with them."""
    from pipeline.doctor import run_doctor

    raise typer.Exit(run_doctor())


@app.command()
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


@runs.callback()
def list_runs(
    context: typer.Context,
    workdir: Workdir = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest N.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known.")] = False,
) -> None:
    """List the runs on record, newest first."""
    if context.invoked_subcommand is None:
        from pipeline import runs as shown

        raise typer.Exit(shown.run_list(_place(workdir), as_json, limit))


@runs.command()
def show(
    run: Annotated[str, typer.Argument(help="The beginning of its id, or `last`.")] = "last",
    workdir: Workdir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known.")] = False,
) -> None:
    """Show a run: what it was told, what came of it, and the runs inside it."""
    from pipeline import runs as shown

    raise typer.Exit(shown.run_show(_place(workdir), run, as_json))


@runs.command()
def compare(
    run: Annotated[list[str], typer.Argument(help="Two or more, each by the beginning of its id.")],
    workdir: Workdir = None,
) -> None:
    """Show how runs differ, in figures, settings and code."""
    if len(run) < 2:
        raise UserError("runs compare takes two runs or more", EXIT_USAGE)
    from pipeline import runs as shown

    raise typer.Exit(shown.run_compare(_place(workdir), run))


@runs.command()
def sync(workdir: Workdir = None) -> None:
    """Deliver to MLflow what waits because it did not answer."""
    from pipeline import runs as shown

    raise typer.Exit(shown.run_sync(_place(workdir)))


def _place(workdir: Path | None) -> "Place":
    from pipeline.tracking import place

    return place.of(place.Tracking(), workdir or Path("work"))


@app.command()
def mlflow(
    workdir: Workdir = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
) -> None:
    """Open MLflow's page on the runs on record."""
    from pipeline.tracking.page import run_page

    raise typer.Exit(run_page(_place(workdir), host, port))


@app.command()
def explain(
    version: Annotated[int | None, typer.Argument(help="Without it, the newest.")] = None,
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known of it.")] = False,
) -> None:
    """Show where a served version came from: data, training, figures, and who let it pass."""
    from pipeline.explain import run_explain

    raise typer.Exit(run_explain(workdir or Path("work"), version, serving_dir, as_json))


@app.command()
def rollback(
    version: Annotated[
        int | None, typer.Argument(help="Without it, the newest of other content.")
    ] = None,
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
    reason: Annotated[str, typer.Option(help="Why; goes on record.")] = "",
) -> None:
    """Serve an earlier version's content again, under a new and higher number."""
    from pipeline.rollback import run_rollback

    raise typer.Exit(run_rollback(workdir or Path("work"), version, reason, serving_dir))


@app.command()
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


@data.command()
def sample(
    directory: Annotated[Path, typer.Argument(help="Where to; made if missing.")],
    count: Annotated[int, typer.Option(min=1, help="How many faces.")] = 1500,
    seed: Annotated[int, typer.Option(help="Another seed draws other faces.")] = 0,
    sheet: Annotated[Path | None, typer.Option(help="Also write a contact sheet here.")] = None,
) -> None:
    """Draw the built-in sample: faces named and sized as UTKFace's."""
    from rich.progress import Progress

    from pipeline.sample import contact_sheet, write_sample

    with Progress(transient=True) as progress:
        task = progress.add_task("Drawing", total=count)
        paths = write_sample(
            directory, count, seed, progress=lambda done: progress.update(task, completed=done)
        )
    typer.echo(f"{len(paths)} faces in {directory}")
    if sheet:
        contact_sheet(paths[:60], 10).save(sheet)
        typer.echo(f"contact sheet in {sheet}")


@data.command()
def inspect(
    path: Annotated[str, typer.Argument(help="Folder, .tar.gz or .zip of photographs.")],
    profile: Annotated[str, typer.Option(help="Whose data.* settings hold.")] = "cpu",
    limit: Limit = None,
    set_: Assignments = None,
) -> None:
    """Count what can be used, what is rejected and why, and how ages and genders are spread."""
    from pipeline import settings

    overrides = {"data.limit": limit} if limit else {}
    chosen = settings.load(profile, overrides, set_ or []).data
    from pipeline.inspect_data import run_inspect

    raise typer.Exit(run_inspect(path, chosen.limit, chosen.policy, chosen.balance))


@data.command()
def rejects(
    workdir: Workdir = None,
    reason: Annotated[str | None, typer.Option(help="Only those rejected for this reason.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON lines.")] = False,
    conflicts: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a sheet of contradicting labels here."),
    ] = None,
) -> None:
    """List the files the last run did not use, and why."""
    from pipeline.rejects import run_rejects

    raise typer.Exit(run_rejects(workdir or Path("work"), reason, as_json, conflicts))


@data.command()
def report(workdir: Workdir = None) -> None:
    """Show what the last run found in its data: every rule of the gate, and where the page is."""
    from pipeline.data_report import run_report

    raise typer.Exit(run_report(workdir or Path("work")))


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


__all__ = ["EXIT_USAGE", "app", "main"]
