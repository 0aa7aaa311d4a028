"""`agegender predict`: photographs in, a row of answers per face out."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline import predict_output
from pipeline.errors import EXIT_ERROR, EXIT_USAGE, UserError
from pipeline.photograph_sources import list_sources
from pipeline.visible import utf8, visible
from serving import faces
from serving.client import connect
from serving.client.connect import Choice, Patience
from serving.predictions import Faces, Outcome, predict

Format = Literal["json", "csv", "table"]


def run_predict(
    arguments: list[str],
    *,
    url: str | None,
    model_dir: Path,
    choice: Choice,
    patience: Patience,
    what: Faces,
    yunet: Path | None,
    form: Format | None,
) -> int:
    """Writes the answers to standard output; returns the exit code.

    Files that cannot be answered are named on standard error, a line each; the others are answered.

    Args:
      arguments: files, folders, patterns, or `-` alone.
      url: of a server; None asks the model in `model_dir`.
      model_dir: the folder of the versions.
      choice: which version.
      patience: with a server.
      what: in the photographs is asked about.
      yunet: YuNet's model file; None finds faces with the Haar cascade.
      form: of the answers; None is a table on a terminal, and CSV elsewhere.

    Returns:
      0 when every file was answered, "no face" being an answer; 1 when one was not.

    Raises:
      UserError: wrong usage, no model, or no server.
    """
    if yunet and what is Faces.WHOLE:
        raise UserError("--yunet finds faces, --faces whole does not look for any", EXIT_USAGE)
    find = faces.yunet(yunet) if yunet else faces.haar()
    listing = list_sources(arguments)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for name, error in listing.errors:
        _tell(errors, name, error)
    failed = bool(listing.errors)
    if not listing.sources:
        return EXIT_ERROR
    try:
        form = form or ("table" if sys.stdout.isatty() else "csv")
        # Rows that come one by one on the same terminal show by themselves how far it is.
        barred = len(listing.sources) > 1 and (form == "table" or not sys.stdout.isatty())
        with connect(url, model_dir, choice, patience) as ask, _writer(form) as write:
            outcomes = predict(listing.sources, ask, what, find)
            for outcome in _shown(outcomes, len(listing.sources) if barred else 0, errors):
                write(outcome)
                for error in outcome.errors:
                    _tell(errors, outcome.name, error)
                    failed = True
    except BrokenPipeError:  # whoever read the rows has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    return EXIT_ERROR if failed else 0


def _writer(form: Format) -> AbstractContextManager[predict_output.Write]:
    if form == "table":
        return predict_output.as_table(Console(highlight=False))
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    write = predict_output.as_json if form == "json" else predict_output.as_csv
    return write(sys.stdout)


def _shown(outcomes: Iterable[Outcome], total: int, console: Console) -> Iterator[Outcome]:
    """The same, with a bar of `total` (0: none) where standard error is a terminal."""
    bar = Progress(
        TextColumn("Looking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not total or not console.is_terminal,
        redirect_stdout=False,
    )
    with bar:
        task = bar.add_task("", total=total)
        for outcome in outcomes:
            yield outcome
            bar.advance(task)


def _tell(console: Console, name: str, error: str) -> None:
    console.print(f"agegender: {visible(utf8(name))}: {visible(error)}", markup=False)
