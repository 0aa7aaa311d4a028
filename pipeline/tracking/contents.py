"""What is recorded of each node: from what it left in ML Metadata to entries of the journal.

Metrics are named `<group>/<figure>`, with the groups `data`, `seconds` (of nodes), `epoch`
(curves), `val`, `test`, `cost` and `slice/<dimension>/<which>`. `val_score` is what trainings stop
on, `score` what candidates rank by. Figures and parameters have the names that they have in
settings, files and tables.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tfx.utils import path_utils

from components.data_report.verdict import REPORT_FILE, VERDICT_FILE, parse_verdict
from components.face_example_gen import ledger
from components.model_report import report
from components.selector import leaderboard, markdown, slices, tables
from components.selector.intervals import intervals
from pipeline.record import NodeRun
from pipeline.tracking import journal, registry
from pipeline.tracking.journal import Entry
from schema import features
from trainer import trials
from trainer.names import family

# `trainer.runs`, which imports Keras, says so too.
_RUN_FILES = ("figures.json", "history.json", "calibration.json")
_FIGURES_FILE = _RUN_FILES[0]
_DIGEST = 16  # characters of the data's fingerprint, as `agegender explain` shows
_COST = ("parameters", "epochs", "frozen_epochs", "seconds")
DESCRIPTION = "mlflow.note.content"  # which MLflow shows above all else, as Markdown
_NOT_FOR_A_METRIC = str.maketrans({"+": " and up"})


class Node(NamedTuple):
    """A finished node of a run, and the records it is told of.

    Attributes:
      id: such as Trainer_age_cnn.
      run: what it left.
      parent: the record of the pipeline's run.
      reused: the records of nodes whose results were reused, by id; None where there is none.
    """

    id: str
    run: NodeRun
    parent: str
    reused: Mapping[str, str | None] = {}

    @property
    def kind(self) -> str:
        """The component."""
        return self.id.partition("_")[0]

    @property
    def subject(self) -> str:
        """The model or candidate it is about; "" where it is about neither."""
        return self.id.partition("_")[2]

    @property
    def record(self) -> str:
        """Of its own run, where it has one."""
        return child(self.parent, self.id)

    def record_of(self, other: str) -> str | None:
        """Of the run that made another node's result, in this run or before."""
        return self.reused.get(other, child(self.parent, other))


def child(parent: str, name: str) -> str:
    """The record of a run inside another."""
    return f"{parent}/{name}"


def finite(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Those of the values that are numbers, under names with a prefix."""
    return {
        prefix + name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def of_node(node: Node) -> Iterator[Entry]:
    """What is recorded of a node that succeeded."""
    if node.run.state != "CACHED":
        yield journal.metrics(node.parent, finite({f"seconds/{node.id}": node.run.seconds}))
    if node.kind in _WRITERS:
        yield from _WRITERS[node.kind](node)


def _ingestion(node: Node) -> Iterator[Entry]:
    folder = node.run.outputs["rejects"].path
    counts = ledger.parse((folder / ledger.LEDGER_FILE).read_text(encoding="utf-8"))
    splits = Counter[str]()
    for cell, count in counts.used.items():
        splits[cell.split] += count
    values = {"found": counts.found, "used": counts.used.total(), "rejected": counts.unfit}
    values |= {split: splits[split] for split in features.SPLITS}
    values |= {f"rejected/{reason.value}": count for reason, count in counts.rejected.items()}
    yield journal.metrics(node.parent, finite(values, "data/"))
    source = str(node.run.parameters["data_uri"])
    yield journal.Dataset(
        record=node.parent,
        name=Path(source).name,
        digest=str(node.run.parameters["data_fingerprint"])[:_DIGEST],
        source=source,
        profile=values,
    )
    yield journal.Files(record=node.parent, path=str(folder), folder="data/rejects")


def _data_report(node: Node) -> Iterator[Entry]:
    folder = node.run.outputs["verdict"].path
    verdict = parse_verdict((folder / VERDICT_FILE).read_text(encoding="utf-8"))
    yield journal.metrics(
        node.parent,
        {"data/rules_violated": len(verdict.violated), "data/passed": float(verdict.passed)},
    )
    for name in (REPORT_FILE, VERDICT_FILE):
        yield journal.Files(record=node.parent, path=str(folder / name), folder="data")


def _trainer(node: Node) -> Iterator[Entry]:
    folder = node.run.outputs["model_run"].path
    figures = json.loads((folder / _FIGURES_FILE).read_text(encoding="utf-8"))
    yield journal.Parameters(record=node.record, values=journal.flat(figures["hyperparameters"]))
    values = finite(figures["val"], "val/") | {"val_score": figures["val_score"]}
    cost = {name: figures[name] for name in _COST if name in figures}
    yield journal.metrics(node.record, finite(values) | finite(cost, "cost/"))
    yield journal.Tags(
        record=node.record,
        values={
            "model": node.subject,
            "family": family(node.subject),
            "hyperparameters_from": figures["hyperparameters_from"],
            "precision": figures["precision"],
        },
    )
    for name in _RUN_FILES:
        yield journal.Files(record=node.record, path=str(folder / name), folder="training")


def _tuner(node: Node) -> Iterator[Entry]:
    folder = node.run.outputs["tuner_results"].path
    search = trials.read_search(folder)
    found = trials_of(node)
    ranked = trials.ranked(found)
    values = {"trials": len(found), "failed": len(found) - len(ranked)}
    best = ranked[0] if ranked else None
    if best:
        values |= {"best_trial": best.number}
        yield journal.metrics(node.record, finite({"val_score": best.score}))
    yield journal.metrics(node.record, finite(values, "search/"))
    yield journal.Tags(
        record=node.record, values={"model": node.subject, "search.ended": search.ended}
    )
    yield journal.Files(record=node.record, path=str(folder), folder="search")


def trials_of(node: Node) -> list[trials.Trial]:
    """The trials of a search, those of earlier runs included."""
    file = node.run.outputs["tuner_results"].path / trials.TRIALS_FILE
    return trials.parse_lines(file.read_text(encoding="utf-8"))


def of_trial(record: str, trial: trials.Trial) -> Iterator[Entry]:
    """What is recorded of a finished trial."""
    yield journal.Parameters(record=record, values=journal.flat(trial.hyperparameters))
    figures = {
        "val_score": trial.score,
        "val/age_mae": trial.age_mae,
        "val/gender_accuracy": trial.gender_accuracy,
        "cost/seconds": trial.seconds,
    }
    yield journal.metrics(record, finite(figures))
    if trial.reason:
        yield journal.Tags(record=record, values={"failure": trial.reason})


def _evaluator(node: Node) -> Iterator[Entry]:
    from pipeline.evaluation import failed_thresholds, read_metrics

    folder = node.run.outputs["evaluation"].uri
    found = read_metrics(folder)
    overall = found.pop(slices.OVERALL)
    yield journal.metrics(node.record, _with_intervals(overall, "test/"))
    values: dict[str, float] = {}
    for dimension in slices.DIMENSIONS:
        for name in slices.along(found, dimension):
            which = slices.words(name).translate(_NOT_FOR_A_METRIC)
            values |= _with_intervals(found[name], f"slice/{dimension}/{which}/")
    yield journal.metrics(node.record, values)
    failed = failed_thresholds(folder)
    tags = {"candidate": node.subject}
    if node.subject != "champion":
        tags |= {"thresholds": "; ".join(failed) or "all met"}
    yield journal.Tags(record=node.record, values=tags)


def _with_intervals(figures: Mapping[str, float], prefix: str) -> dict[str, float]:
    ends = {
        f"{name}_{end}": value
        for name, interval in intervals(figures).items()
        for end, value in zip(("low", "high"), interval, strict=True)
    }
    return finite(figures, prefix) | finite(ends, prefix)


def _model_report(node: Node) -> Iterator[Entry]:
    record = node.record_of(f"Evaluator_{node.subject}")
    if record is None:
        return
    folder = node.run.outputs["report"].path
    yield journal.metrics(record, finite(report.read(folder).speed_facts, "cost/"))
    yield journal.Files(record=record, path=str(folder), folder="report")


def _selector(node: Node) -> Iterator[Entry]:
    folder = node.run.outputs["leaderboard"].path
    content = json.loads((folder / leaderboard.FILE).read_text(encoding="utf-8"))
    yield journal.Files(record=node.parent, path=str(folder), folder="leaderboard")
    tags = {
        "decision": content["decision"],
        "winner": content["winner"] or "none",
        "champion": content["champion"]["name"],
    }
    table = markdown.table(tables.summary(content))
    tags[DESCRIPTION] = f"{content['decision']}\n\n{table}"
    yield journal.Tags(record=node.parent, values=tags)
    best = content["candidates"][0]
    values = finite(best["val"], "val/") | finite(best["test"], "test/")
    values |= finite({"score": best["score"]}) | finite(best["model"], "cost/")
    yield journal.metrics(node.parent, values)
    for row in content["candidates"]:
        verdict = {"rank": str(row["rank"]), "rules": "; ".join(row["failed"]) or "all kept"}
        if record := node.record_of(f"Evaluator_{row['name']}"):
            yield journal.Tags(record=record, values=verdict)
    yield from _challenger(node, content)


def _challenger(node: Node, content: Mapping[str, Any]) -> Iterator[Entry]:
    """The best that passed beside the winner."""
    others = [
        row["name"]
        for row in content["candidates"]
        if row["passed"] and row["name"] != content["winner"]
    ]
    record = node.record_of(f"Evaluator_{others[0]}") if others else None
    if record:
        model = node.run.inputs[f"model_{others[0]}"].uri
        yield journal.Register(
            record=record,
            servable=path_utils.serving_model_path(model),
            version=0,
            aliases=[registry.CHALLENGER],
            tags={"candidate": others[0]},
        )


def _publisher(node: Node) -> Iterator[Entry]:
    pushed = node.run.outputs["pushed_model"].properties
    if "pushed_destination" not in pushed:
        return
    yield journal.Register(
        record=node.parent,
        servable=str(pushed["pushed_destination"]),
        version=int(pushed["pushed_version"]),
        aliases=[registry.CHAMPION],
    )
    yield journal.Tags(
        record=node.parent, values={registry.SERVED_TAG: str(pushed["pushed_version"])}
    )


def _model_card(node: Node) -> Iterator[Entry]:
    folder = node.run.outputs["card"].path
    yield journal.Files(record=node.parent, path=str(folder), folder="model-card")


# What they found is recorded of every run, as they have none of their own to lead to.
OF_THE_WHOLE = ("FaceExampleGen", "DataReport", "Selector", "Publisher", "ModelCard")

_WRITERS: Mapping[str, Callable[[Node], Iterator[Entry]]] = {
    "FaceExampleGen": _ingestion,
    "DataReport": _data_report,
    "Trainer": _trainer,
    "Tuner": _tuner,
    "Evaluator": _evaluator,
    "ModelReport": _model_report,
    "Selector": _selector,
    "Publisher": _publisher,
    "ModelCard": _model_card,
}
