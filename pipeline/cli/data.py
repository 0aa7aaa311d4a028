"""Data: what is in it, what was not used, or some drawn."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import Assignments, Labels, Limit, Workdir

app = typer.Typer(name="data", help="Look at data, or draw some.", no_args_is_help=True)


@app.command()
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


@app.command()
def inspect(
    path: Annotated[str, typer.Argument(help="Folder, .tar.gz or .zip of photographs.")],
    labels: Labels = None,
    profile: Annotated[str, typer.Option(help="Whose data.* settings hold.")] = "cpu",
    limit: Limit = None,
    set_: Assignments = None,
) -> None:
    """Count what can be used, what is rejected and why, and how ages and genders are spread."""
    from pipeline import settings

    overrides: dict[str, Any] = {"data.limit": limit} if limit else {}
    if labels:
        overrides["data.labels"] = str(labels)
    chosen = settings.load(profile, overrides, set_ or []).data
    from components.face_example_gen import label_file
    from pipeline.inspect_data import run_inspect

    given = label_file.told(path, chosen.labels or "", chosen.columns.model_dump_json())
    raise typer.Exit(run_inspect(path, chosen.limit, chosen.policy, chosen.balance, given))


@app.command()
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


@app.command()
def report(workdir: Workdir = None) -> None:
    """Show what the last run found in its data: every rule of the gate, and where the page is."""
    from pipeline.data_report import run_report

    raise typer.Exit(run_report(workdir or Path("work")))
