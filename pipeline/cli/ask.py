"""What a model answers."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ServingDir, Workdir
from pipeline.errors import EXIT_USAGE, UserError


def predict(
    picture: Annotated[
        list[str],
        typer.Argument(help="Photographs: files, folders, patterns; - reads one from stdin."),
    ],
    url: Annotated[
        str | None,
        typer.Option(help="Of a server: grpc://host:port or http://host:port; else the folder."),
    ] = None,
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
    version: Annotated[int | None, typer.Option(min=1, help="Without it, the newest.")] = None,
    label: Annotated[str | None, typer.Option(help="A server's, such as stable.")] = None,
    faces: Annotated[
        str,
        typer.Option(
            metavar="find|whole|auto",
            help="Ask about the faces found, the whole picture, or that where none is found.",
        ),
    ] = "find",
    yunet: Annotated[
        Path | None, typer.Option(metavar="FILE.onnx", help="Find faces with YuNet's model.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds a server may take.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, as is done where there is no terminal.")
    ] = False,
) -> None:
    """Tell age and gender of every face in photographs.

    Exit codes: 0 all were answered, 1 some were not (each is named), 2 wrong usage.
    """
    if as_json and as_csv:
        raise UserError("--json and --csv do not go together", EXIT_USAGE)
    if faces not in (ways := ("find", "whole", "auto")):
        raise UserError(f"--faces is one of {', '.join(ways)}, not {faces!r}", EXIT_USAGE)
    from pipeline.predict import run_predict
    from schema.features import MODEL_NAME
    from serving.client.connect import Choice, Patience
    from serving.predictions import Faces

    code = run_predict(
        picture,
        url=url,
        model_dir=(serving_dir or (workdir or Path("work")) / "serving") / MODEL_NAME,
        choice=Choice(version, label),
        patience=Patience(timeout),
        what=Faces(faces),
        yunet=yunet,
        form="json" if as_json else "csv" if as_csv else None,
    )
    raise typer.Exit(code)
