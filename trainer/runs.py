"""What a training leaves behind in its model_run, written and read in one place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from schema import features
from trainer import heads, predictors
from trainer.calibration import Calibration
from trainer.export import Predictor

FIGURES_FILE = "figures.json"
HISTORY_FILE = "history.json"
CALIBRATION_FILE = "calibration.json"
MODEL_FILE = "model.keras"


@dataclass(frozen=True)
class Run:
    """A trained model and what is known of it.

    Attributes:
      figures: of val and of the training; `mirror`, `store_size` and `answers` say how to ask.
      history: curves by name, a value per epoch.
      calibration: what was fitted on the calib split.
      model: from pixels to logits.
    """

    figures: dict[str, Any]
    history: dict[str, list[float]]
    calibration: Calibration
    model: keras.Model


def write(folder: Path, run: Run) -> None:
    """Writes a run into a folder, which is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FIGURES_FILE).write_text(json.dumps(run.figures, indent=2, allow_nan=False))
    (folder / HISTORY_FILE).write_text(json.dumps(run.history, indent=2))
    (folder / CALIBRATION_FILE).write_text(run.calibration.model_dump_json(indent=2))
    run.model.save(folder / MODEL_FILE)


def read(folder: Path) -> Run:
    """Reads what `write` wrote."""
    return Run(
        json.loads((folder / FIGURES_FILE).read_text()),
        json.loads((folder / HISTORY_FILE).read_text()),
        Calibration.model_validate_json((folder / CALIBRATION_FILE).read_text()),
        keras.models.load_model(folder / MODEL_FILE, compile=False),
    )


def predictor(run: Run) -> Predictor:
    """Calibrated answers of a run's model."""
    ask = partial(predictors.raw, run.model, mirror=run.figures["mirror"])
    return lambda pixels: predictors.calibrated(ask(pixels), run.calibration)


def averaged(models: Mapping[str, keras.Model]) -> keras.Model:
    """One model from pixels to the logits of the mean answer of several.

    Args:
      models: by name; each answers both, and age in the same way.

    Raises:
      ValueError: when some answer a distribution of ages and others an age.
    """
    first = next(iter(models.values()))
    pixels = keras.Input(first.input_shape[1:], name=features.PIXELS)
    answers = [model(pixels) for model in models.values()]
    ages = [one[features.AGE] for one in answers]
    if len({heads.is_distribution(age) for age in ages}) > 1:
        raise ValueError(f"{', '.join(models)}: some answer a distribution of ages, some an age")
    outputs = {
        features.AGE: heads.mean_age_logits(ages),
        features.GENDER: keras.layers.Average()([one[features.GENDER] for one in answers]),
    }
    return keras.Model(pixels, outputs, name="ensemble")


def joined(gender: keras.Model, age: keras.Model) -> keras.Model:
    """One model from pixels to the logits of two."""
    pixels = keras.Input(age.input_shape[1:], name=features.PIXELS)
    outputs = {
        features.AGE: age(pixels)[features.AGE],
        features.GENDER: gender(pixels)[features.GENDER],
    }
    return keras.Model(pixels, outputs, name="specialists")
