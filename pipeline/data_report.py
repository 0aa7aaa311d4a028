"""What DataReport and DataGate found, on a terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.data_report.verdict import REPORT_FILE, VERDICT_FILE, parse_verdict
from pipeline.errors import UserError
from pipeline.record import NodeRun, open_store, runs_of

_MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]·[/]"}


def run_report(workdir: Path, console: Console | None = None) -> int:
    """Prints every rule of the last run's verdict; returns the exit code.

    Raises:
      UserError: when no run in `workdir` has judged data yet.
    """
    console = console or Console()
    database = workdir / "metadata.db"
    runs = runs_of(open_store(database), "DataReport") if database.exists() else []
    done = next((run for run in runs if run.succeeded), None)
    if done is None:
        raise UserError(f"{workdir}: no run has judged data here; run agegender run first")
    folder = done.outputs["verdict"].path
    verdict = parse_verdict((folder / VERDICT_FILE).read_text(encoding="utf-8"))
    table = Table("", "rule", "measured", "asked")
    for rule in verdict.rules:
        table.add_row(_MARKS[rule.passed], Text(rule.rule), Text(rule.measured), Text(rule.bound))
    console.print(table)
    console.print(f"Page: {folder / REPORT_FILE}", soft_wrap=True, markup=False)
    return 0


def show_gate(console: Console, report: NodeRun, gate: NodeRun | None) -> None:
    """A line per violated rule, who accepted them if anyone did, and where the page is."""
    folder = report.outputs["verdict"].path
    verdict = parse_verdict((folder / VERDICT_FILE).read_text(encoding="utf-8"))
    asked = sum(rule.passed is not None for rule in verdict.rules)
    said = f"{len(verdict.violated)} of {asked} rules violated" if verdict.violated else "passed"
    console.print(f"Data gate: {said}")
    for rule in verdict.violated:
        console.print(f"  {rule.line}", soft_wrap=True, markup=False, highlight=False)
    if verdict.violated and gate and gate.succeeded:
        approval = gate.outputs["approval"].properties
        accepted = f"  accepted by {approval['accepted_by']}: {approval['reason']}"
        console.print(accepted, soft_wrap=True, markup=False)
    elif verdict.violated:
        advice = '  to go on all the same: --accept-data --reason "why"'
        console.print(advice, soft_wrap=True, markup=False)
    page = folder / REPORT_FILE
    near = page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page
    console.print(f"Data report: {near}", soft_wrap=True, markup=False)
