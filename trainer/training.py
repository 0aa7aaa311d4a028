"""TFX Trainer's function: fit on train, stop on val, calibrate on calib, export."""

import json
import math
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline.errors import UserError
from schema import features
from trainer import calibration, dataset, devices, heads, progress
from trainer.age_weights import age_weights
from trainer.callbacks import ReportProgress, ValScore
from trainer.export import Predictor, export_servable
from trainer.families import FAMILIES
from trainer.hyperparameters import Hyperparameters

FIGURES_FILE = "figures.json"
HISTORY_FILE = "history.json"
EVALUATION_BATCH = 256


def run_fn(fn_args: FnArgs) -> None:
    """Trains one model and exports it as a servable.

    Args:
      fn_args: `train_files` from split train, `eval_files` from val and calib, and `custom_config`
        with `family`, `store_size` and `hyperparameters` (see trainer.hyperparameters).
    """
    config = fn_args.custom_config
    hyper = Hyperparameters.model_validate(config["hyperparameters"])
    store_size = int(config["store_size"])
    started = time.monotonic()
    keras.utils.set_random_seed(hyper.seed)
    files = [*fn_args.train_files, *fn_args.eval_files]
    train, *others = (_load(files, split, store_size) for split in ("train", "val", "calib"))
    val, calib = (dataset.plain_batches(one, EVALUATION_BATCH) for one in others)
    policy = devices.policy(hyper.precision)
    weights = _weights(hyper, train)
    with tempfile.TemporaryDirectory() as scratch:
        cache = str(Path(scratch, "train")) if hyper.cache == "disk" else ""
        model, history = _fit(config, hyper, policy, train, val, cache, weights)
    model = _in_float32(model, config, hyper)
    answer = partial(predict, model, mirror=hyper.mirror)
    val_figures = _finite(evaluate(answer, val))
    half_width = calibration.conformal_half_width(*_ages(answer, calib))
    export_servable(
        fn_args.serving_model_dir,
        answer,
        [model],
        tft.TFTransformOutput(fn_args.transform_output),
        store_size,
        half_width,
    )
    run_dir = Path(fn_args.model_run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    figures = {
        "family": config["family"],
        "val": val_figures,
        "age_interval_half_width": half_width,
        "epochs": len(history["loss"]),
        "parameters": model.count_params(),
        "precision": policy,
        # By year of age.
        "age_weights": None if weights is None else [round(w, 4) for w in weights.tolist()],
        "seconds": round(time.monotonic() - started, 1),
    }
    (run_dir / FIGURES_FILE).write_text(json.dumps(figures, indent=2))
    (run_dir / HISTORY_FILE).write_text(json.dumps(history, indent=2))


def build(config: dict[str, Any], hyper: Hyperparameters) -> keras.Model:
    """The uncompiled model that `config` and `hyper` ask for, in the current dtype policy."""
    return FAMILIES[config["family"]].build(
        store_size=int(config["store_size"]), **hyper.architecture.model_dump()
    )


def compile_model(model: keras.Model, hyper: Hyperparameters, steps: int) -> None:
    """Losses, metrics and AdamW with a linear warm-up and a cosine decay over `steps` steps."""
    warmup_steps = int(steps * hyper.warmup)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=hyper.learning_rate / 50,
        decay_steps=max(steps - warmup_steps, 1),
        alpha=0.01,
        warmup_target=hyper.learning_rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(
        rate,
        weight_decay=hyper.weight_decay,
        global_clipnorm=hyper.clip_norm,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    model.compile(
        optimizer,
        loss={
            features.AGE: heads.AgeLoss(hyper.age_sigma, hyper.age_l1),
            features.GENDER: keras.losses.BinaryCrossentropy(from_logits=True),
        },
        loss_weights={features.AGE: 1.0, features.GENDER: hyper.gender_weight},
        metrics={features.AGE: [heads.age_mae], features.GENDER: [accuracy]},
        jit_compile=False,  # XLA made convolutions slower on CPUs
    )


def _weights(hyper: Hyperparameters, train: tf.data.Dataset) -> npt.NDArray[np.float32] | None:
    if hyper.age_weights == "none":
        return None
    return age_weights(dataset.ages(train), hyper.age_weights)


def _fit(
    config: dict[str, Any],
    hyper: Hyperparameters,
    policy: str,
    train: tf.data.Dataset,
    val: tf.data.Dataset,
    cache: str,
    weights: npt.NDArray[np.float32] | None = None,
) -> tuple[keras.Model, dict[str, list[float]]]:
    """The model with the weights of its best epoch, and the curves of all of them."""
    count = int(train.cardinality())
    batch_size = min(hyper.batch_size, count)
    steps = count // batch_size
    batches = dataset.training_batches(
        train, batch_size, hyper.augmentation, hyper.seed, cache, weights
    )
    keras.config.set_dtype_policy(policy)
    try:
        with devices.strategy().scope():
            model = build(config, hyper)
            compile_model(model, hyper, steps * hyper.epochs)
        fitted = model.fit(
            batches,
            epochs=hyper.epochs,
            validation_data=val,
            callbacks=_callbacks(config, hyper, steps),
            shuffle=False,  # the dataset does it
            verbose=0,
        )
    finally:
        keras.config.set_dtype_policy("float32")
    history = {name: [float(v) for v in values] for name, values in fitted.history.items()}
    return model, history


def _callbacks(
    config: dict[str, Any], hyper: Hyperparameters, steps: int
) -> list[keras.callbacks.Callback]:
    return [
        ValScore(),  # first: EarlyStopping looks at what it adds
        keras.callbacks.EarlyStopping(
            ValScore.NAME, mode="min", patience=hyper.patience, restore_best_weights=True
        ),
        ReportProgress(config["family"], hyper.epochs, steps, progress.report),
    ]


def _in_float32(model: keras.Model, config: dict[str, Any], hyper: Hyperparameters) -> keras.Model:
    """The same weights in a float32 graph, which any serving machine runs well."""
    plain = build(config, hyper)
    plain.set_weights(model.get_weights())
    return plain


def predict(model: keras.Model, pixels: tf.Tensor, mirror: bool = False) -> dict[str, tf.Tensor]:
    """Ages in years and P(female), each float [n], of pixels [n, h, w, 3] in 0 to 255.

    With `mirror`, the means over the pictures and their mirror images.
    """
    if mirror:
        straight, mirrored = predict(model, pixels), predict(model, tf.reverse(pixels, [2]))
        return {name: (straight[name] + mirrored[name]) / 2 for name in straight}
    logits = model(tf.cast(pixels, tf.float32), training=False)
    return {
        features.AGE: heads.age_years(logits[features.AGE]),
        features.GENDER: tf.sigmoid(logits[features.GENDER][:, 0]),
    }


def evaluate(predict: Predictor, batches: tf.data.Dataset) -> dict[str, float]:
    """Mean absolute error of age in years and gender accuracy over labelled batches."""
    errors, hits = [], []
    for pixels, labels in batches:
        answer = predict(pixels)
        errors.append(np.abs(answer[features.AGE].numpy() - labels[features.AGE].numpy()))
        hits.append((answer[features.GENDER].numpy() >= 0.5) == (labels[features.GENDER] == 1.0))
    return {
        "age_mae": float(np.concatenate(errors).mean()),
        "gender_accuracy": float(np.concatenate(hits).mean()),
    }


def _finite(figures: dict[str, float]) -> dict[str, float]:
    """The figures, unless the training diverged: no later node makes sense of a NaN."""
    if not all(math.isfinite(value) for value in figures.values()):
        raise UserError("the training diverged: lower training.learning_rate")
    return figures


def _ages(predict: Predictor, batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted ages in years, each [n]."""
    true, predicted = [], []
    for pixels, labels in batches:
        true.append(labels[features.AGE].numpy())
        predicted.append(predict(pixels)[features.AGE].numpy())
    return np.concatenate(true or [[]]), np.concatenate(predicted or [[]])


def _load(patterns: list[str], split: str, store_size: int) -> tf.data.Dataset:
    """The examples of one split, of which there must be some."""
    examples = dataset.load([p for p in patterns if f"Split-{split}" in p], store_size)
    if not examples.cardinality():
        raise UserError(f"split {split} holds no picture: give more of them, 100 are enough")
    return examples
