"""The end of a run: files, splits, figures, where the servable is, what to try next."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from components.face_example_gen import ledger
from components.model_card.page import FILE as CARD_FILE
from components.selector import page
from components.selector.leaderboard import FILE
from pipeline import data_report, outcome, tuning
from pipeline.errors import EXIT_DATA_GATE
from pipeline.record import NodeRun
from schema import features

NAMED_REJECTS = 5
# The main figures: the name in the leaderboard -> heading and form. In 80 columns, with room for a
# name such as transfer_mobilenet_v2.
FIGURES = {
    "age_mae": ("age MAE", "{:.2f}"),
    "age_within_10": ("within 10", "{:.1%}"),
    "age_coverage": ("in range", "{:.1%}"),
    "gender_accuracy": ("gender acc.", "{:.1%}"),
    "gender_auc": ("AUC", "{:.3f}"),
    "gender_ece": ("ECE", "{:.3f}"),
}


def show(
    console: Console,
    expected: list[str],
    nodes: Mapping[str, NodeRun],
    model_dir: Path,
    log: Path,
) -> outcome.Outcome:
    """Prints it and returns how the run ended."""
    console.print()
    ended = outcome.of_run(expected, nodes, near(model_dir))
    if nodes.get("FaceExampleGen") and nodes["FaceExampleGen"].succeeded:
        _files(console, nodes["FaceExampleGen"])
    if nodes.get("DataReport") and nodes["DataReport"].succeeded:
        data_report.show_gate(console, nodes["DataReport"], nodes.get("DataGate"))
    tuning.show_result(console, nodes)
    if nodes.get("Selector") and nodes["Selector"].succeeded:
        leaderboard = nodes["Selector"].outputs["leaderboard"].path
        _figures(console, json.loads((leaderboard / FILE).read_text()))
        pictures = near(leaderboard / page.FILE)
        console.print(f"Leaderboard with pictures: {pictures}", soft_wrap=True, markup=False)
    if nodes.get("ModelCard") and nodes["ModelCard"].succeeded:
        card = near(nodes["ModelCard"].outputs["card"].path / CARD_FILE)
        console.print(f"Model card: {card}", soft_wrap=True, markup=False)
    colour = "green" if ended.served else "red"
    console.print(f"[{colour}]{_capital(ended.sentence)}[/]", soft_wrap=True)
    if ended.served:
        tool = near(Path(sys.executable).with_name("saved_model_cli"))
        command = f"{tool} show --all --dir {ended.served}"
        console.print(f"See what it answers: {command}", soft_wrap=True, markup=False)
    elif ended.exit_code != EXIT_DATA_GATE:  # whose story is the data report
        console.print(f"The whole story is in {near(log)}", soft_wrap=True)
    return ended


def near(path: Path) -> Path:
    """A path as seen from the current folder, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _figures(console: Console, leaderboard: Mapping[str, Any]) -> None:
    """The candidates' figures on the test split beside the champion's."""
    table = Table(
        title="On the test split", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("model", no_wrap=True)
    for heading, _ in FIGURES.values():
        table.add_column(heading, justify="right")
    table.add_column("rules")
    for entry in leaderboard["candidates"]:
        table.add_row(entry["name"], *_row(entry), "passed" if entry["passed"] else "failed")
    champion = leaderboard["champion"]
    table.add_row(f"{champion['name']} (to beat)", *_row(champion), "")
    console.print(table)
    for entry in leaderboard["candidates"]:
        for failure in entry["failed"]:
            console.print(f"{entry['name']}: {failure}", soft_wrap=True, markup=False)


def _row(entry: Mapping[str, Any]) -> list[str]:
    values = [(entry["test"].get(name), form) for name, (_, form) in FIGURES.items()]
    return ["-" if value is None else form.format(value) for value, form in values]


def _files(console: Console, ingestion: NodeRun) -> None:
    folder = ingestion.outputs["rejects"].path
    counts = ledger.parse((folder / ledger.LEDGER_FILE).read_text(encoding="utf-8"))
    rejects = ledger.parse_rejects((folder / ledger.REJECTS_FILE).read_text(encoding="utf-8"))
    rejected = counts.rejected.total()
    console.print(f"Files: {counts.used.total()} used, {rejected} rejected")
    for reason, count in counts.rejected.most_common():
        names = [reject.file for reject in rejects if reject.reason == reason]
        more = f" and {count - NAMED_REJECTS} more" if count > NAMED_REJECTS else ""
        named = ", ".join(names[:NAMED_REJECTS]) + more
        console.print(f"  {count} {reason}: {named}", soft_wrap=True, markup=False)
    splits = Counter[str]()
    for cell, count in counts.used.items():
        splits[cell.split] += count
    sizes = ", ".join(f"{split} {splits[split]}" for split in features.SPLITS)
    console.print(f"Splits: {sizes}", soft_wrap=True)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
