"""Transformed examples as tf.data: parsed once, cached as uint8, shuffled, augmented."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schema import features
from trainer.augment import augment
from trainer.hyperparameters import Augmentation
from trainer.preprocessing import parse_pixels

PARALLEL = os.cpu_count() or 1
PREFETCHED = 4  # batches

Batch = tuple[tf.Tensor, dict[str, tf.Tensor]]
# With the weight of each face in each loss.
WeightedBatch = tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]

_SPEC = {
    features.PIXELS: tf.io.FixedLenFeature([], tf.string),
    features.AGE_NORM: tf.io.FixedLenFeature([], tf.float32),
    features.GENDER: tf.io.FixedLenFeature([], tf.float32),
}


def load(patterns: Sequence[str], store_size: int) -> tf.data.Dataset:
    """Single examples, in the order of their files.

    Args:
      patterns: file patterns of gzipped TFRecords that Transform wrote.
      store_size: side of the stored pictures, pixels.

    Returns:
      (uint8 [store_size, store_size, 3], {"age": years, "gender": 0.0 or 1.0}) each.
    """

    def parse(record: tf.Tensor) -> Batch:
        example = tf.io.parse_single_example(record, _SPEC)
        labels = {
            features.AGE: example[features.AGE_NORM] * features.MAX_AGE,
            features.GENDER: example[features.GENDER],
        }
        return parse_pixels(example[features.PIXELS], store_size), labels

    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    # Counted once: Keras shows and plans steps only for datasets that know their length.
    count = records.reduce(tf.constant(0, tf.int64), lambda n, _: n + 1)
    known = records.apply(tf.data.experimental.assert_cardinality(count))
    return _steady(known.map(parse, num_parallel_calls=PARALLEL))


def training_batches(
    examples: tf.data.Dataset,
    batch_size: int,
    augmentation: Augmentation,
    seed: int,
    cache: str = "",
    age_weights: npt.NDArray[np.float32] | None = None,
) -> tf.data.Dataset:
    """One epoch of shuffled, augmented batches; each epoch differs, each run is the same.

    Args:
      examples: from `load`; all of them are shuffled, as uint8.
      batch_size: pictures a batch; a last, smaller batch is left out.
      augmentation: see trainer.augment.
      seed: of the order and of the changes.
      cache: a file to cache the parsed examples in, or "" for memory.
      age_weights: of a face in the age loss, by its year of age, [117]; None weighs all alike.
    """

    def change(batch: Batch, random: tf.Tensor) -> Batch | WeightedBatch:
        pixels, labels = augment(batch[0], random, augmentation), batch[1]
        if age_weights is None:
            return pixels, labels
        years = tf.cast(tf.round(labels[features.AGE]), tf.int32)
        weights = tf.gather(age_weights, years)
        return pixels, labels, {features.AGE: weights, features.GENDER: tf.ones_like(weights)}

    batches = (
        examples.cache(cache)
        .shuffle(examples.cardinality(), seed=seed, reshuffle_each_iteration=True)
        .batch(batch_size, drop_remainder=True)
    )
    randoms = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    changed = tf.data.Dataset.zip(batches, randoms).map(
        change, num_parallel_calls=PARALLEL, deterministic=True
    )
    return _steady(changed.prefetch(PREFETCHED))


def plain_batches(examples: tf.data.Dataset, batch_size: int, cache: str = "") -> tf.data.Dataset:
    """Batches in order, unchanged, for validation and calibration."""
    return _steady(examples.cache(cache).batch(batch_size).prefetch(PREFETCHED))


def ages(examples: tf.data.Dataset) -> npt.NDArray[np.float32]:
    """The ages of all examples, years, [n]. Reads and parses each once."""
    only = examples.map(lambda _, labels: labels[features.AGE]).batch(1024)
    return np.concatenate(list(_steady(only).as_numpy_iterator()))


def _steady(examples: tf.data.Dataset) -> tf.data.Dataset:
    """Without tf.data's autotuning.

    An iterator that is dropped, as Keras does after every epoch, waits for its autotuning thread,
    which sleeps for up to a minute: training on two cores stood still for seconds to half a minute
    between epochs (TensorFlow 2.21).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return examples.with_options(options)
