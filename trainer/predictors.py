"""From a Keras model's logits to answers: as they come, and calibrated."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops

from schema import features
from trainer import heads
from trainer.calibration import AgeCalibration, Calibration
from trainer.export import AGE_PROBABILITIES, Predictor

Arrays = dict[str, npt.NDArray[Any]]  # [n] or [n, d] each, by name


def raw(model: keras.Model, pixels: tf.Tensor, mirror: bool = False) -> dict[str, tf.Tensor]:
    """What a model answers, before calibration.

    Args:
      model: from pixels to logits of age and/or gender.
      pixels: [n, h, w, 3] in 0 to 255.
      mirror: answer with the mean over the pictures and their mirror images.

    Returns:
      `age` in years and `gender`, the logit of "female": float [n] each; `age_probabilities`, float
      [n, 117], where the head gives a distribution.
    """
    # A picture and its mirror image in one batch: a fifth faster than one after the other.
    seen = tf.concat([pixels, tf.reverse(pixels, [2])], axis=0) if mirror else pixels
    answer = _direct(model, seen)
    if mirror:
        answer = {name: _mean_of_halves(values) for name, values in answer.items()}
    if AGE_PROBABILITIES in answer:
        answer[features.AGE] = heads.median_age(answer[AGE_PROBABILITIES])
    return answer


def _mean_of_halves(values: tf.Tensor) -> tf.Tensor:
    first, second = tf.split(values, 2)
    return (first + second) / 2


def _direct(model: keras.Model, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
    logits = model(tf.cast(pixels, tf.float32), training=False)
    answer = {}
    if features.GENDER in logits:
        answer[features.GENDER] = logits[features.GENDER][:, 0]
    if features.AGE in logits:
        age = logits[features.AGE]
        if heads.is_distribution(age):
            answer[AGE_PROBABILITIES] = ops.softmax(age, axis=-1)
        else:
            answer[features.AGE] = heads.age_years(age)
    return answer


def interval(answer: dict[str, tf.Tensor], low_share: float) -> tuple[tf.Tensor, tf.Tensor]:
    """The uncalibrated ends of an interval, years, float [n] each.

    They are the quantiles of a distribution at `low_share` and `1 - low_share`; the age itself
    where there is no distribution.
    """
    if AGE_PROBABILITIES not in answer:
        return answer[features.AGE], answer[features.AGE]
    low, high = (
        heads.age_quantile(answer[AGE_PROBABILITIES], share) for share in (low_share, 1 - low_share)
    )
    return low, high


def calibrated(answer: dict[str, tf.Tensor], calibration: Calibration) -> dict[str, tf.Tensor]:
    """The answers of `raw` with `age_low` and `age_high`, and P(female) in place of its logit."""
    answer = dict(answer)
    if calibration.age:
        answer |= _intervals(answer, calibration.age)
    if calibration.gender:
        logits = answer[features.GENDER]
        answer[features.GENDER] = tf.sigmoid(logits / calibration.gender.temperature)
    return answer


def _intervals(answer: dict[str, tf.Tensor], fitted: AgeCalibration) -> dict[str, tf.Tensor]:
    age = tf.convert_to_tensor(answer[features.AGE])
    group = tf.searchsorted(tf.constant(fitted.bounds, tf.float32), age, side="right")
    correction = tf.gather(tf.constant(fitted.corrections, tf.float32), group)
    low, high = interval(answer, fitted.low_share)
    # A negative correction may lead past the age.
    low, high = tf.minimum(low - correction, age), tf.maximum(high + correction, age)
    return {
        features.OUT_AGE_LOW: tf.maximum(low, features.MIN_AGE),
        features.OUT_AGE_HIGH: tf.minimum(high, features.MAX_AGE),
    }


def collect(predict: Predictor, batches: tf.data.Dataset) -> tuple[Arrays, Arrays]:
    """The labels of labelled batches and the answers to their pictures, by name, [n] each."""
    # As a graph: run by itself each operation of a large model holds gigabytes.
    ask = tf.function(predict, reduce_retracing=True)
    pairs = [(labels, ask(pixels)) for pixels, labels in batches]
    labels, answers = ([pair[side] for pair in pairs] for side in (0, 1))
    return _joined(labels), _joined(answers)


def _joined(parts: list[dict[str, tf.Tensor]]) -> Arrays:
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}
