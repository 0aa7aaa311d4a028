"""Runs of the whole graph on tiny data, and what is asked of them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline import record

FACES = 160
# Of them one is there twice, and one contradicts its copy.
USED, REJECTED = FACES - 1, 5
# Thresholds anything passes: what is tested here is the machinery, not the model.
TINY = {
    "candidates": "[specialists, multitask]",  # a backbone's graph would take most of the time
    "image.store_size": "24",
    "data.shards": "2",
    "training.epochs": "2",
    "report.robustness_faces": "8",
    "training.architecture.widths": "[8,16]",
    "thresholds.max_age_mae": "100",
    "thresholds.min_gender_accuracy": "0.01",
    "selection.tolerance": "100",
    "expectations.min_examples.at_least": "5",
    "expectations.min_per_age_group_and_gender.at_least": "0",
    "expectations.female_share_per_split.at_least": "0.1",
    "expectations.female_share_per_split.at_most": "0.9",
}
NODES = [
    "FaceExampleGen",
    "ImportSchemaGen",
    "StatisticsGen",
    "ExampleValidator",
    "Baseline",
    "SplitValidator",
    "DriftValidator",
    "DataReport",
    "DataGate",
    "Transform",
    "Trainer_gender_cnn",
    "Trainer_age_cnn",
    "Trainer_multitask_cnn",
    "SpecialistPair",
    "Champion",
    "Evaluator_champion",
    "Evaluator_specialists",
    "Evaluator_multitask",
    "ModelReport_champion",
    "ModelReport_specialists",
    "ModelReport_multitask",
    "Selector",
    "ServableCheck",
    "Publisher",
    "ModelCard",
]


def command(data: Path, workdir: Path, *options: str, **changes: str) -> list[str]:
    settings = TINY | {key.replace("__", "."): value for key, value in changes.items()}
    assignments = [part for item in settings.items() for part in ("--set", "=".join(item))]
    return [
        *(sys.executable, "-m", "pipeline", "run", "--profile", "sample"),
        *("--data", str(data), "--workdir", str(workdir), *assignments, *options),
    ]


def run(
    data: Path, workdir: Path, *options: str, **changes: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        command(data, workdir, *options, **changes), capture_output=True, text=True, env=environment
    )


def states(workdir: Path) -> dict[str, str]:
    store = record.open_store(workdir / "metadata.db")
    last = record.last_run(store)
    assert last
    return {name: node.state for name, node in record.nodes(store, last).items()}


def executed(workdir: Path) -> set[str]:
    return {name for name, state in states(workdir).items() if state != "CACHED"}


def agegender(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Another command than run."""
    asked = [sys.executable, "-m", "pipeline", *arguments]
    environment = os.environ | {"COLUMNS": "80", "NO_COLOR": "1"}
    return subprocess.run(asked, capture_output=True, text=True, env=environment)


def explained(workdir: Path, *version: str) -> dict[str, Any]:
    """What `agegender explain` knows of a version, the newest if none is given."""
    done = agegender("explain", *version, "--workdir", str(workdir), "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def card(workdir: Path, *version: str) -> str:
    asked = [sys.executable, "-m", "pipeline", "card", *version, "--workdir", str(workdir)]
    done = subprocess.run([*asked, "--markdown"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
