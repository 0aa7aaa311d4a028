"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Limit = Annotated[int | None, typer.Option(min=1, help="Use only N files, spread over all.")]

Labels = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv", help="Labels in a CSV file: file, age, gender, race."),
]

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; repeatable."),
]

Workdir = Annotated[Path | None, typer.Option(help="Where everything is kept (default: ./work).")]

TrackingUri = Annotated[
    str | None,
    typer.Option(metavar="URI", help="Of MLflow (default: where the last run was recorded)."),
]

ServingDir = Annotated[
    Path | None,
    typer.Option(help="Where models are served (default: serving in the work folder)."),
]
