"""The last run's leaderboard on a terminal."""

import json
import sys
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from components.selector import markdown, page, tables
from components.selector.leaderboard import FILE
from pipeline.errors import UserError
from pipeline.record import open_store, runs_of


def run_leaderboard(
    workdir: Path, as_markdown: bool, as_json: bool, console: Console | None = None
) -> int:
    """Prints the newest leaderboard; returns the exit code.

    Args:
      workdir: of the run.
      as_markdown: print the Markdown as it is, instead of tables.
      as_json: print the JSON as it is.
      console: where tables are printed.

    Raises:
      UserError: when no run in `workdir` has chosen among candidates yet.
    """
    folder = _newest(workdir)
    if as_markdown or as_json:
        sys.stdout.write((folder / (markdown.FILE if as_markdown else FILE)).read_text("utf-8"))
        return 0
    console = console or Console(highlight=False)
    show(console, json.loads((folder / FILE).read_text("utf-8")))
    console.print(f"Page: {folder / page.FILE}", soft_wrap=True, markup=False)
    return 0


def show(console: Console, content: dict[str, Any]) -> None:
    """The tables, by how much each threshold was met, the rules broken, and the decision."""
    for one in tables.tables(content):
        roomy = _table(one, gap=1)
        # Measured without limits: what is too wide would be said to be as wide as the console.
        unlimited = console.options.update_width(10 * console.width)
        fits = console.measure(roomy, options=unlimited).maximum <= console.width
        console.print(roomy if fits else _table(one, gap=0))
    for row in content["candidates"]:
        broken = [f"broken: {line}" for line in row["failed"]]
        kept = [line for passed, line in tables.margins(row) if passed]
        for line in (*kept, *broken):
            console.print(f"{row['name']}: {line}", soft_wrap=True, markup=False)
    for line in (content["decision"], *tables.notes(content)):
        console.print(line, soft_wrap=True, markup=False)


def _table(one: tables.Table, gap: int) -> Table:
    """A table whose columns are `gap` further apart than they must be."""
    table = Table(
        title=one.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, gap, 0, 0),
    )
    for place, heading in enumerate(one.head):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for row in one.rows:
        table.add_row(*row)
    return table


def _newest(workdir: Path) -> Path:
    """The folder of the newest leaderboard."""
    database = workdir / "metadata.db"
    runs = runs_of(open_store(database), "Selector") if database.exists() else []
    done = next((run for run in runs if run.succeeded), None)
    if done is None:
        raise UserError(f"{workdir}: no run has judged candidates here; run agegender run first")
    folder = done.outputs["leaderboard"].path
    if not (folder / page.FILE).exists():
        raise UserError(
            f"{folder}: its leaderboard is gone, or of an earlier version: run agegender run again"
        )
    return folder
