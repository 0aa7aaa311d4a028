"""Transformed examples as tf.data: parsed once, cached as uint8, shuffled, augmented."""

import os
from collections.abc import Callable, Collection, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schema import features
from trainer.augment import augment
from trainer.heads import labelled_years
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


# Of a picture that a teacher answered (see components.soft_labels), beside the above.
_TEACHERS = {features.AGE: features.TEACHER_AGE, features.GENDER: features.TEACHER_GENDER}


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

    records = read(patterns)
    # Counted once: Keras shows and plans steps only for datasets that know their length.
    count = records.reduce(tf.constant(0, tf.int64), lambda n, _: n + 1)
    known = records.apply(tf.data.experimental.assert_cardinality(count))
    return steady(known.map(parse, num_parallel_calls=PARALLEL))


def read(patterns: Sequence[str]) -> tf.data.Dataset:
    """The serialized examples, in the order of their files."""
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    return tf.data.TFRecordDataset(files, compression_type="GZIP")


def teachers_answers(patterns: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
    """What a teacher answered to each example, in the order of `load`.

    Returns:
      `age`, probabilities [n, 117] or years [n, 1], and `gender`, logits of "female" [n, 1].
    """
    spec = {name: tf.io.VarLenFeature(tf.float32) for name in _TEACHERS.values()}

    def parse(records: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.io.parse_example(records, spec)
        return {label: tf.sparse.to_dense(found[name]) for label, name in _TEACHERS.items()}

    parts = list(steady(read(patterns).batch(1024).map(parse)).as_numpy_iterator())
    return {label: np.concatenate([part[label] for part in parts]) for label in _TEACHERS}


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
        return _weighed(augment(batch[0], random, augmentation), batch[1], age_weights)

    return _epoch(examples.cache(cache), batch_size, seed, change)


def feature_batches(
    straight: npt.NDArray[np.float32],
    mirrored: npt.NDArray[np.float32],
    labels: dict[str, npt.NDArray[np.float32]],
    batch_size: int,
    seed: int,
    age_weights: npt.NDArray[np.float32] | None = None,
) -> tf.data.Dataset:
    """One epoch of shuffled features, of each picture or of its mirror image by chance.

    Args:
      straight: features of the pictures, [n, d].
      mirrored: of their mirror images, [n, d].
      labels: by name, [n] each.
      batch_size: pictures a batch; a last, smaller batch is left out.
      seed: of the order and of the chance.
      age_weights: as in `training_batches`.
    """

    def choose(batch: Batch, random: tf.Tensor) -> Batch | WeightedBatch:
        both, labels = batch
        heads = tf.random.stateless_uniform([tf.shape(both)[0]], random) < 0.5
        return _weighed(tf.where(heads[:, None], both[:, 0], both[:, 1]), labels, age_weights)

    both = np.stack([straight, mirrored], axis=1)
    examples = tf.data.Dataset.from_tensor_slices((both, labels))
    return _epoch(examples, batch_size, seed, choose)


def _weighed(
    inputs: tf.Tensor, labels: dict[str, tf.Tensor], age_weights: npt.NDArray[np.float32] | None
) -> Batch | WeightedBatch:
    if age_weights is None or features.AGE not in labels:
        return inputs, labels
    years = tf.cast(tf.round(labelled_years(labels[features.AGE])), tf.int32)
    weights = {name: tf.ones_like(values) for name, values in labels.items()}
    return inputs, labels, weights | {features.AGE: tf.gather(age_weights, years)}


def _epoch(
    examples: tf.data.Dataset,
    batch_size: int,
    seed: int,
    change: Callable[[Batch, tf.Tensor], Batch | WeightedBatch],
) -> tf.data.Dataset:
    """Shuffled batches, each changed by a stateless seed of its own."""
    batches = examples.shuffle(
        examples.cardinality(), seed=seed, reshuffle_each_iteration=True
    ).batch(batch_size, drop_remainder=True)
    randoms = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    changed = tf.data.Dataset.zip(batches, randoms).map(
        change, num_parallel_calls=PARALLEL, deterministic=True
    )
    return steady(changed.prefetch(PREFETCHED))


def evenly(examples: tf.data.Dataset, share: float) -> tf.data.Dataset:
    """A share of single examples, at least one, spread over all of them.

    Files are in the order of the pictures' names, which may begin with the age: the first third of
    UTKFace are children.

    Args:
      examples: of known number.
      share: of them to keep, above 0 and at most 1.
    """
    count = int(examples.cardinality())
    kept = np.linspace(0, count - 1, max(1, round(share * count))).round().astype(np.int64)
    chosen = np.zeros(count, np.bool_)
    chosen[kept] = True
    marked = tf.data.Dataset.zip(examples, tf.data.Dataset.from_tensor_slices(chosen))
    some = marked.filter(lambda _, keep: keep).map(lambda example, _: example)
    return some.apply(tf.data.experimental.assert_cardinality(len(kept)))


def answered(examples: tf.data.Dataset, answers: Collection[str]) -> tf.data.Dataset:
    """Single examples or batches with those labels alone that a model answers."""
    return steady(
        examples.map(
            lambda inputs, labels: (inputs, {name: labels[name] for name in answers}),
            num_parallel_calls=PARALLEL,
        )
    )


def plain_batches(examples: tf.data.Dataset, batch_size: int, cache: str = "") -> tf.data.Dataset:
    """Batches in order, unchanged, for validation and calibration."""
    return steady(examples.cache(cache).batch(batch_size).prefetch(PREFETCHED))


def ages(examples: tf.data.Dataset) -> npt.NDArray[np.float32]:
    """The ages of all examples, years, [n]. Reads and parses each once."""
    only = examples.map(lambda _, labels: labels[features.AGE]).batch(1024).map(labelled_years)
    return np.concatenate(list(steady(only).as_numpy_iterator()))


def steady(examples: tf.data.Dataset) -> tf.data.Dataset:
    """Without tf.data's autotuning.

    An iterator that is dropped, as Keras does after every epoch, waits for its autotuning thread,
    which sleeps for up to a minute: training on two cores stood still for seconds to half a minute
    between epochs (TensorFlow 2.21).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return examples.with_options(options)
