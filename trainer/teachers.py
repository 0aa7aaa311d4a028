"""Soft labels: what models that were trained before answer to the training pictures.

Knowledge distillation (Hinton et al. 2015) from models of the same kind (born-again networks,
Furlanello et al. 2018): labels of ages are noisy, and what a model makes of a face beside all
others tells how far to trust one. Answered once for every picture, with its mirror image: an epoch
with teachers costs no more than one without.
"""

from collections.abc import Sequence
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from schema import features
from trainer import dataset, heads, predictors
from trainer.export import AGE_PROBABILITIES
from trainer.hyperparameters import Hyperparameters
from trainer.predictors import Arrays

_BATCH = 64


def taught(
    train: tf.data.Dataset, models: Sequence[keras.Model], hyper: Hyperparameters
) -> tf.data.Dataset:
    """The same pictures with soft labels.

    Args:
      train: single examples, [h, w, 3] and labels `age` in years and/or `gender`.
      models: the teachers; each answers those labels, all in the same way.
      hyper: `teacher_share` of a soft label is their mean answer, the rest the label itself.

    Returns:
      single examples; `age` as `heads.AgeLoss` takes it of such a model, `gender` from 0 to 1.
    """
    batches = dataset.plain_batches(train, _BATCH)
    found = [
        predictors.collect(partial(predictors.raw, model, mirror=True), batches) for model in models
    ]
    return _relabelled(train, soften(found[0][0], [answers for _, answers in found], hyper))


def taught_by_files(
    train: tf.data.Dataset, files: Sequence[str], hyper: Hyperparameters
) -> tf.data.Dataset:
    """The same pictures with soft labels, of what a teacher answered into their files.

    Args:
      train: single examples from dataset.load, of `files`.
      files: their patterns; components.soft_labels wrote them.
      hyper: as of `taught`.
    """
    told = dataset.teachers_answers(files)
    answers = {features.GENDER: told[features.GENDER][:, 0]}
    if told[features.AGE].shape[1] == heads.AGE_BINS:
        answers[AGE_PROBABILITIES] = told[features.AGE]
    else:
        answers[features.AGE] = told[features.AGE][:, 0]
    batches = dataset.steady(train.map(lambda _, label: label).batch(1024))
    labels = list(batches.as_numpy_iterator())
    joined = {name: np.concatenate([part[name] for part in labels]) for name in labels[0]}
    return _relabelled(train, soften(joined, [answers], hyper))


def _relabelled(train: tf.data.Dataset, softened: Arrays) -> tf.data.Dataset:
    together = tf.data.Dataset.zip(train, tf.data.Dataset.from_tensor_slices(softened))
    return dataset.steady(together.map(lambda example, soft: (example[0], soft)))


def soften(labels: Arrays, answers: Sequence[Arrays], hyper: Hyperparameters) -> Arrays:
    """Labels, [n] each, laid together with what teachers answered (see predictors.raw)."""
    share = hyper.teacher_share
    soft: Arrays = {}
    if features.GENDER in labels:
        told = np.mean([1 / (1 + np.exp(-one[features.GENDER])) for one in answers], axis=0)
        soft[features.GENDER] = _mixed(labels[features.GENDER], told, share)
    if features.AGE in labels:
        true = labels[features.AGE]
        if AGE_PROBABILITIES in answers[0]:
            told = np.mean([one[AGE_PROBABILITIES] for one in answers], axis=0)
            years = _mixed(true, told @ np.arange(heads.AGE_BINS), share)
            shares = _mixed(np.asarray(heads.bell(true, hyper.age_sigma)), told, share)
            soft[features.AGE] = np.concatenate([years[:, None], shares], axis=1)
        else:
            told = np.mean([one[features.AGE] for one in answers], axis=0)
            soft[features.AGE] = _mixed(true, told, share)
    return soft


def _mixed(label: np.ndarray, told: np.ndarray, share: float) -> np.ndarray:
    return ((1 - share) * label + share * told).astype(np.float32)
