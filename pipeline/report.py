"""The end of a run: files, splits, figures, where the servable is, what to try next."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline import outcome
from pipeline.record import NodeRun
from schema import features

NAMED_REJECTS = 5
FIGURES = {"age_mae": "age MAE", "gender_accuracy": "gender acc.", "gender_auc": "gender AUC"}


def show(
    console: Console,
    expected: list[str],
    nodes: Mapping[str, NodeRun],
    model_dir: Path,
    log: Path,
) -> int:
    """Prints it and returns the exit code."""
    console.print()
    ended = outcome.of_run(expected, nodes, near(model_dir))
    if nodes.get("FaceExampleGen") and nodes["FaceExampleGen"].succeeded:
        _files(console, nodes["FaceExampleGen"])
    if nodes.get("StatisticsGen") and nodes["StatisticsGen"].succeeded:
        console.print(f"Splits: {_splits(nodes['StatisticsGen'])}", soft_wrap=True)
    if nodes.get("Selector") and nodes["Selector"].succeeded:
        leaderboard = nodes["Selector"].outputs["leaderboard"].path / "leaderboard.json"
        _figures(console, json.loads(leaderboard.read_text()))
    colour = "green" if ended.served else "red"
    console.print(f"[{colour}]{_capital(ended.sentence)}[/]", soft_wrap=True)
    if ended.served:
        tool = near(Path(sys.executable).with_name("saved_model_cli"))
        command = f"{tool} show --all --dir {ended.served}"
        console.print(f"See what it answers: {command}", soft_wrap=True, markup=False)
    else:
        console.print(f"The whole story is in {near(log)}", soft_wrap=True)
    return ended.exit_code


def near(path: Path) -> Path:
    """A path as seen from the current folder, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _figures(console: Console, leaderboard: Mapping[str, Any]) -> None:
    """The candidates' figures on the test split beside the champion's."""
    table = Table(title="On the test split", title_justify="left")
    table.add_column("model")
    for name in FIGURES.values():
        table.add_column(name, justify="right")
    table.add_column("thresholds")
    for entry in leaderboard["candidates"]:
        table.add_row(
            entry["name"], *_row(entry["test"]), "passed" if entry["passed"] else "failed"
        )
    champion = leaderboard["champion"]
    served = f"served version {champion['version']}"
    table.add_row(served if champion["version"] else "constant", *_row(champion["test"]), "to beat")
    console.print(table)
    for entry in leaderboard["candidates"]:
        for failure in entry["failed"]:
            console.print(f"{entry['name']}: {failure}", soft_wrap=True, markup=False)


def _row(test: Mapping[str, float | None]) -> list[str]:
    values = (test[name] for name in FIGURES)
    return ["-" if value is None else f"{value:.3f}" for value in values]


def _files(console: Console, ingestion: NodeRun) -> None:
    rejects = ingestion.outputs["rejects"]
    lines = (rejects.path / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    rejected = [json.loads(line) for line in lines]
    console.print(f"Files: {rejects.properties['used']} used, {len(rejected)} rejected")
    for reason, count in Counter(one["reason"] for one in rejected).most_common():
        names = [one["file"] for one in rejected if one["reason"] == reason]
        more = f" and {count - NAMED_REJECTS} more" if count > NAMED_REJECTS else ""
        named = ", ".join(names[:NAMED_REJECTS]) + more
        console.print(f"  {count} {reason}: {named}", soft_wrap=True, markup=False)


def _splits(statistics: NodeRun) -> str:
    """The sizes of the splits, from their statistics."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    sizes = []
    for split in features.SPLITS:
        folder = statistics.outputs["statistics"].path / f"Split-{split}"
        content = (folder / "FeatureStats.pb").read_bytes()
        parsed = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
        sizes.append(f"{split} {parsed.datasets[0].num_examples}")
    return ", ".join(sizes)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
