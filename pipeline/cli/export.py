"""A trained model as a file of another kind."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ServingDir, Workdir
from pipeline.errors import EXIT_USAGE, UserError
from serving.exports.kinds import Format, Quantize

app = typer.Typer(
    name="export", help="Write a model as another kind of file.", no_args_is_help=True
)

Target = Annotated[
    Path | None,
    typer.Argument(metavar="[DIR|FILE]", help="Where to (default: exports in the work folder)."),
]
Version = Annotated[int | None, typer.Option(help="A served version; without it, the newest.")]
Candidate = Annotated[
    str | None, typer.Option(metavar="NAME", help="A candidate of the last run instead.")
]
Check = Annotated[
    bool,
    typer.Option("--check/--no-check", help="Hold it against its SavedModel on the test faces."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over an earlier export.")]


@app.command()
def tflite(
    target: Target = None,
    version: Version = None,
    candidate: Candidate = None,
    quantize: Annotated[Quantize, typer.Option(help="What weights become.")] = "float32",
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
    check: Check = True,
    force: Force = False,
) -> None:
    """Write a TensorFlow Lite file of built-in operations, calibrated answers and all."""
    _export("tflite", target, version, candidate, quantize, workdir, serving_dir, check, force)


@app.command()
def keras(
    target: Target = None,
    version: Version = None,
    candidate: Candidate = None,
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
    check: Check = True,
    force: Force = False,
) -> None:
    """Write a .keras file that `keras.models.load_model` takes without this project."""
    _export("keras", target, version, candidate, "float32", workdir, serving_dir, check, force)


@app.command()
def space(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    version: Version = None,
    candidate: Candidate = None,
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an earlier Space.")] = False,
) -> None:
    """Write a Hugging Face Space: a web page with a model, that starts as it stands."""
    from pipeline.export_space import run_export_space
    from schema.features import MODEL_NAME

    work = workdir or Path("work")
    model_dir = (serving_dir or work / "serving") / MODEL_NAME
    raise typer.Exit(run_export_space(target, work, model_dir, version, candidate, force))


def _export(
    format_: Format,
    target: Path | None,
    version: int | None,
    candidate: str | None,
    quantize: Quantize,
    workdir: Path | None,
    serving_dir: Path | None,
    check: bool,
    force: bool,
) -> None:
    if version is not None and candidate:
        raise UserError("--version and --candidate do not go together", EXIT_USAGE)
    from pipeline.export import Wanted, run_export

    wanted = Wanted(format_, target, version, candidate, quantize, check, force)
    raise typer.Exit(run_export(workdir or Path("work"), serving_dir, wanted))
