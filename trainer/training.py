"""TFX Trainer's function: fit on train, stop on val, calibrate on calib, export."""

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline.errors import UserError
from schema import age_groups, features
from trainer import (
    calibration,
    dataset,
    devices,
    families,
    metrics,
    names,
    predictors,
    runs,
    search_space,
    teachers,
    weights,
)
from trainer.calibration import AgeCalibration, Calibration
from trainer.callbacks import val_score
from trainer.export import AGE_PROBABILITIES, export_servable
from trainer.fitting import Fitted, fit
from trainer.frozen import Embedded
from trainer.hyperparameters import Hyperparameters
from trainer.predictors import Arrays

EVALUATION_BATCH = 64  # of larger ones a backbone's feature maps take gigabytes

Labelled = tuple[Arrays, Arrays]  # labels, and the answers of predictors.raw


def run_fn(fn_args: FnArgs) -> None:
    """Trains one model and exports it as a servable of what it answers.

    Args:
      fn_args: `train_files` from split train, `eval_files` from val and calib, and `custom_config`
        with `model`, `store_size`, `age_groups` and `hyperparameters` (see
        trainer.hyperparameters); a search's `hyperparameters` are laid over these.
    """
    started = time.monotonic()
    config = fn_args.custom_config
    name, store_size, groups = config["model"], int(config["store_size"]), config["age_groups"]
    hyper = Hyperparameters.model_validate(config["hyperparameters"])
    tuned = (fn_args.hyperparameters or {}).get("values", {})
    hyper = search_space.applied(hyper, tuned)
    weights.check(name, hyper)
    files = [*fn_args.train_files, *fn_args.eval_files]
    train, *others = (load(files, split, store_size) for split in ("train", "val", "calib"))
    if names.is_student(name):
        train = teachers.taught_by_files(train, of_split(files, "train"), hyper)
    val, calib = (dataset.plain_batches(one, EVALUATION_BATCH) for one in others)
    done = fitted(name, store_size, hyper, train, val)
    found, on_val = settled(done.model, hyper.mirror, val, calib, groups)
    figures = {
        "model": name,
        "family": names.family(name),
        "answers": list(families.family(name).answers),
        "store_size": store_size,
        "mirror": hyper.mirror,
        "hyperparameters": hyper.model_dump(mode="json"),
        "hyperparameters_from": _origin(tuned),
        **val_figures(on_val),
        "epochs": len(done.history["loss"]),
        "frozen_epochs": done.frozen_epochs,
        "parameters": done.model.count_params(),
        "precision": devices.policy(hyper.precision),
        "age_weights": _by_year(done),
        "seconds": round(time.monotonic() - started, 1),
    }
    run = runs.Run(figures, done.history, found, done.model)
    export_servable(
        fn_args.serving_model_dir,
        runs.predictor(run),
        tft.TFTransformOutput(fn_args.transform_output),
        store_size,
        groups,
        found.model_dump_json(),
    )
    runs.write(Path(fn_args.model_run_dir), run)


def settled(
    model: keras.Model,
    mirror: bool,
    val: tf.data.Dataset,
    calib: tf.data.Dataset,
    groups: age_groups.Scheme,
) -> tuple[Calibration, dict[str, float]]:
    """A trained model's calibration, and its figures on val with it.

    Args:
      model: from pixels to logits.
      mirror: whether it answers with the mean over a picture and its mirror image.
      val: batches of examples.
      calib: likewise.
      groups: of predicted age, which are calibrated apart.

    Raises:
      UserError: when the training diverged.
    """
    answer = partial(predictors.raw, model, mirror=mirror)
    on_val = predictors.collect(answer, val)
    # A training that diverged is refused before anything is calibrated.
    _finite(figures_of(*on_val))
    found = calibrate(predictors.collect(answer, calib), on_val, groups)
    return found, _finite(figures_of(on_val[0], on_val[1], found))


def val_figures(on_val: dict[str, float]) -> dict[str, Any]:
    """What figures.json says of val."""
    score = val_score({f"val_{name}": value for name, value in on_val.items()})
    return {"val": on_val, "val_score": score}


def fitted(
    name: str,
    store_size: int,
    hyper: Hyperparameters,
    train: tf.data.Dataset,
    val: tf.data.Dataset,
    embedded: dict[str, Embedded] | None = None,
) -> Fitted:
    """One training as it is told to be: seeded, in its precision, with its cache (see fit)."""
    keras.utils.set_random_seed(hyper.seed)
    policy = devices.policy(hyper.precision)
    with tempfile.TemporaryDirectory() as scratch:
        cache = str(Path(scratch, "train")) if hyper.cache == "disk" else ""
        return fit(name, store_size, hyper, policy, train, val, cache, embedded)


def _origin(tuned: Mapping[str, Any]) -> str:
    """Where the hyperparameters came from; `tuned` are a search's values."""
    return f"tuned: trial {tuned['trial']} of {tuned['trials']}" if tuned else "checked in"


def calibrate(
    on_calib: Labelled, on_val: Labelled, groups: age_groups.Scheme = "decades"
) -> Calibration:
    """What the calib split says of uncalibrated answers (see predictors.raw).

    Args:
      on_calib: labels and answers of split calib, which alone decides what is promised.
      on_val: of split val, which decides by which quantiles of an age distribution: by those whose
        intervals are narrowest there.
      groups: of predicted age, which are calibrated apart.
    """
    labels, answers = on_calib
    age = gender = None
    if features.AGE in answers:
        bounds = age_groups.bounds(groups)
        is_distribution = AGE_PROBABILITIES in answers
        shares = calibration.LOW_SHARES if is_distribution else (calibration.POINT,)
        narrowest = min(shares, key=lambda share: _width(on_val, share, bounds))
        age = _fit_age(on_calib, narrowest, bounds)
    if features.GENDER in answers:
        gender = calibration.fit_gender(labels[features.GENDER], answers[features.GENDER])
    return Calibration(age=age, gender=gender)


def _fit_age(data: Labelled, low_share: float, bounds: Sequence[float]) -> AgeCalibration:
    labels, answers = data
    low, high = (np.asarray(end) for end in predictors.interval(answers, low_share))
    return calibration.fit_age(
        labels[features.AGE], answers[features.AGE], low, high, low_share, bounds
    )


def _width(data: Labelled, low_share: float, bounds: Sequence[float]) -> float:
    """The mean width of intervals that were calibrated on the same faces, years."""
    found = Calibration(age=_fit_age(data, low_share, bounds))
    out = predictors.calibrated(data[1], found)
    return float(np.mean(out[features.OUT_AGE_HIGH] - out[features.OUT_AGE_LOW]))


def figures_of(
    labels: Arrays, answers: Arrays, found: Calibration | None = None
) -> dict[str, float]:
    """The figures of uncalibrated answers and, given a calibration, of what it made of them."""
    figures: dict[str, float] = {}
    after = predictors.calibrated(answers, found) if found else {}
    if features.AGE in answers:
        true = labels[features.AGE]
        figures |= metrics.age_figures(true, answers[features.AGE])
        if found:
            low, high = (
                after[key].numpy() for key in (features.OUT_AGE_LOW, features.OUT_AGE_HIGH)
            )
            figures |= metrics.interval_figures(true, low, high)
    if features.GENDER in answers:
        female = labels[features.GENDER]
        figures |= metrics.gender_figures(female, answers[features.GENDER])
        if found:
            figures["gender_ece"] = metrics.calibration_error(
                female, after[features.GENDER].numpy()
            )
    return figures


def _by_year(fitted: Fitted) -> list[float] | None:
    found = fitted.age_weights
    return None if found is None else [round(weight, 4) for weight in found.tolist()]


def _finite(figures: dict[str, float]) -> dict[str, float]:
    """The figures that are defined, unless the training diverged: no later node can use a NaN."""
    for name in ("age_mae", "gender_accuracy"):
        if not math.isfinite(figures.get(name, 0.0)):
            raise UserError("the training diverged: lower training.learning_rate")
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def of_split(patterns: Sequence[str], split: str) -> list[str]:
    """Those patterns that are of one split's files."""
    return [pattern for pattern in patterns if f"Split-{split}" in pattern]


def load(patterns: Sequence[str], split: str, store_size: int) -> tf.data.Dataset:
    """The examples of one split, of which there must be some."""
    examples = dataset.load(of_split(patterns, split), store_size)
    if not examples.cardinality():
        raise UserError(f"split {split} holds no picture: give more of them, 100 are enough")
    return examples
