"""A page to try models on."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ServingDir, Workdir


def demo(
    host: Annotated[str, typer.Option(help="0.0.0.0 shows it to the network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    url: Annotated[
        str | None, typer.Option(help="Ask a server: grpc://host:port or http://host:port.")
    ] = None,
    model_dir: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Ask a SavedModel, or published versions; repeatable."),
    ] = None,
    workdir: Workdir = None,
    serving_dir: ServingDir = None,
) -> None:
    """Show a web page that asks about photographs: the served model, and the last candidates."""
    from pipeline.demo import run_demo
    from schema.features import MODEL_NAME

    work = workdir or Path("work")
    code = run_demo(
        host=host,
        port=port,
        url=url,
        model_dirs=model_dir or [],
        workdir=work,
        model_dir=(serving_dir or work / "serving") / MODEL_NAME,
    )
    raise typer.Exit(code)
