"""A run's model with its calibration in one Keras model of plain Keras operations.

It answers as `trainer.runs.predictor` does, from which the servable is made, in operations that
Keras can save and TensorFlow Lite has kernels for.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from schema import age_groups, features
from trainer import heads
from trainer.calibration import AgeCalibration
from trainer.runs import Run

# What an export answers, each of shape [n]; OUT_AGE_GROUP is the index of a group's name.
OUTPUTS = (
    features.OUT_AGE,
    features.OUT_AGE_LOW,
    features.OUT_AGE_HIGH,
    features.OUT_FEMALE_PROBABILITY,
    features.OUT_AGE_GROUP,
)

Tensors = dict[str, keras.KerasTensor]


def answering(run: Run, groups: age_groups.Scheme) -> keras.Model:
    """From pixels, uint8 [n, store_size, store_size, 3], to the calibrated OUTPUTS.

    Args:
      run: of a candidate: it answers both age and gender, and is calibrated for both.
      groups: how ages are grouped.
    """
    size = run.figures["store_size"]
    pixels = keras.Input((size, size, 3), dtype="uint8", name=features.PIXELS)
    logits = _logits(run, ops.cast(pixels, "float32"))
    assert run.calibration.age
    assert run.calibration.gender
    answers = _age(logits[features.AGE], run.calibration.age, groups)
    gender = ops.mean(logits[features.GENDER], axis=0)[:, 0] / run.calibration.gender.temperature
    answers[features.OUT_FEMALE_PROBABILITY] = ops.sigmoid(gender)
    return keras.Model(pixels, {name: answers[name] for name in OUTPUTS}, name=features.MODEL_NAME)


def mirrored(figures: Mapping[str, Any]) -> dict[str, bool]:
    """By answer, whether a run's model is asked with mirror images too.

    Each of two specialists is asked in its own way, an ensemble's members all in one.
    """
    parts = figures.get("parts", {})
    return {answer: parts.get(answer, figures)["mirror"] for answer in figures["answers"]}


def _logits(run: Run, pixels: keras.KerasTensor) -> Tensors:
    """By answer, [views, n, d]: of the pictures and, where they are asked for, mirror images."""
    found: Tensors = {}
    mirrors = mirrored(run.figures)
    for mirror in sorted(set(mirrors.values())):
        wanted = {
            name: run.model.output[name] for name, value in mirrors.items() if value == mirror
        }
        model = keras.Model(run.model.input, wanted, name="mirrored" if mirror else "direct")
        # One batch of both, so that weights are read once.
        views = [pixels, ops.flip(pixels, axis=2)] if mirror else [pixels]
        seen = ops.concatenate(views, axis=0) if mirror else pixels
        for name, values in model(seen).items():
            found[name] = ops.reshape(values, (len(views), -1, values.shape[-1]))
    return found


def _age(logits: keras.KerasTensor, fitted: AgeCalibration, groups: age_groups.Scheme) -> Tensors:
    """The answers about age to logits [views, n, d]."""
    if heads.is_distribution(logits):
        probabilities = ops.mean(ops.softmax(logits, axis=-1), axis=0)
        age = heads.median_age(probabilities)
        shares = fitted.low_share, 1 - fitted.low_share
        low, high = (heads.age_quantile(probabilities, share) for share in shares)
        group = _likeliest(_members(groups)(probabilities))
    else:
        low = high = age = ops.mean(ops.sigmoid(logits[..., 0]), axis=0) * features.MAX_AGE
        begun = [_reached(age, bound) for bound in age_groups.bounds(groups)]
        group = sum(begun[1:], start=begun[0])
    correction = _correction(age, fitted)
    # A negative correction may lead past the age.
    low, high = ops.minimum(low - correction, age), ops.maximum(high + correction, age)
    return {
        features.OUT_AGE: age,
        features.OUT_AGE_LOW: ops.maximum(low, float(features.MIN_AGE)),
        features.OUT_AGE_HIGH: ops.minimum(high, float(features.MAX_AGE)),
        features.OUT_AGE_GROUP: ops.cast(group, "int32"),
    }


def _members(groups: age_groups.Scheme) -> keras.layers.Layer:
    """From probabilities of the years, [n, 117], to those of the groups, [n, groups]."""
    members = age_groups.membership(groups)
    layer = keras.layers.Dense(
        members.shape[1], use_bias=False, trainable=False, name=features.OUT_AGE_GROUP
    )
    layer.build((None, len(members)))
    layer.set_weights([members])
    return layer


def _likeliest(probabilities: keras.KerasTensor) -> keras.KerasTensor:
    """The first place of the highest of [n, groups], float [n].

    Not `ops.argmax`: it looks for negative zeros by their bits, which TensorFlow Lite cannot.
    """
    highest = probabilities >= ops.max(probabilities, axis=-1, keepdims=True)
    earlier = ops.cumsum(ops.cast(highest, "float32"), axis=-1) < 0.5
    return ops.sum(ops.cast(earlier, "float32"), axis=-1)


def _correction(age: keras.KerasTensor, fitted: AgeCalibration) -> keras.KerasTensor:
    """The years by which intervals about ages, [n], grow.

    A sum of steps: TensorFlow Lite has no kernel for a search in sorted bounds.
    """
    correction = ops.zeros_like(age) + fitted.corrections[0]
    for bound, before, after in zip(
        fitted.bounds, fitted.corrections, fitted.corrections[1:], strict=False
    ):
        correction = correction + (after - before) * _reached(age, bound)
    return correction


def _reached(age: keras.KerasTensor, bound: float) -> keras.KerasTensor:
    """1.0 where an age is at a bound or beyond, else 0.0: float [n]."""
    return ops.cast(age >= float(bound), "float32")
