"""How a served model was trained, from its Trainer's execution and the Tuner's before it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import walk
from pipeline.walk import Step
from trainer import names, trials

FIGURES_FILE = "figures.json"  # as trainer.runs names it, which loads Keras

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Search:
    """The Tuner's search whose best trial a model was trained with, and that trial's row."""

    trial: int
    trials: int
    failed: int
    algorithm: str | None
    row: Mapping[str, Any] | None
    execution_id: int


@dataclass(frozen=True)
class Training:
    """One training; None is what its folder told, when it is not kept any more.

    Attributes:
      hyperparameters_from: `checked in`, or which trial they are from.
      precision: it computed in.
      seconds: it took, its calibration and export included.
      val: its figures on val.
    """

    name: str
    family: str
    hyperparameters: Mapping[str, Any] | None
    hyperparameters_from: str | None
    search: Search | None
    seed: int
    precision: str | None
    seconds: float | None
    epochs: int | None
    parameters: int | None
    val: Figures | None
    execution_id: int


def training(steps: Mapping[str, Step], trainer: Step) -> Training:
    """One training of a version's; `steps` hold its Tuner, where it had one."""
    told = trainer.parameter("custom_config")
    figures = walk.json_in(trainer.outputs["model_run"], FIGURES_FILE) or {}
    tuned = trainer.inputs.get("hyperparameters")
    # What was told is what was trained with, but for a search's values that were laid over it.
    known = None if tuned else told["hyperparameters"]
    return Training(
        name=told["model"],
        family=names.family(told["model"]),
        hyperparameters=figures.get("hyperparameters", known),
        hyperparameters_from=figures.get("hyperparameters_from", None if tuned else "checked in"),
        search=_search(walk.maker_among(steps, tuned)) if tuned else None,
        seed=told["hyperparameters"]["seed"],
        precision=figures.get("precision"),
        seconds=figures.get("seconds"),
        epochs=figures.get("epochs"),
        parameters=figures.get("parameters"),
        val=figures.get("val"),
        execution_id=trainer.execution_id,
    )


def _search(tuner: Step) -> Search:
    results = tuner.outputs["tuner_results"]
    lines = walk.text_in(results, trials.TRIALS_FILE)
    search = walk.json_in(results, trials.SEARCH_FILE)
    best = results.properties["best_trial"]
    rows = [json.loads(line) for line in (lines or "").splitlines()]
    return Search(
        trial=best,
        trials=results.properties["trials"],
        failed=results.properties["failed"],
        algorithm=search["algorithm"] if search else None,
        row=next((row for row in rows if row["number"] == best), None),
        execution_id=tuner.execution_id,
    )
