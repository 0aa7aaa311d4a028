"""The faces of a split, as FaceExampleGen wrote them, as an export is asked about them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schema import features
from trainer.preprocessing import decode_and_resize

Pixels = npt.NDArray[np.uint8]  # [size, size, 3], RGB

_IMAGE = {features.IMAGE: tf.io.FixedLenFeature([], tf.string)}


def encoded(files: Sequence[str], count: int | None = None, seed: int = 0) -> Iterator[bytes]:
    """The encoded pictures of faces, in the order of their files.

    Args:
      files: gzipped TFRecords of raw examples.
      count: how many, drawn at random; None for all.
      seed: of the draw.
    """
    chosen = None if count is None else _drawn(files, count, seed)
    for index, record in enumerate(_records(files)):
        if chosen is None or index in chosen:
            yield tf.io.parse_single_example(record, _IMAGE)[features.IMAGE].numpy()


def decoder(size: int) -> Callable[[bytes], Pixels]:
    """From encoded pictures to what Transform makes of them, in training and in serving."""
    decode = tf.function(
        lambda picture: decode_and_resize(picture, size),
        input_signature=[tf.TensorSpec([], tf.string)],
    )
    return lambda picture: decode(picture).numpy()


def _drawn(files: Sequence[str], count: int, seed: int) -> set[int]:
    total = sum(1 for _ in _records(files))
    random = np.random.default_rng(seed)
    return set(random.choice(total, min(count, total), replace=False).tolist())


def _records(files: Sequence[str]) -> Iterator[bytes]:
    options = tf.data.Options()
    options.autotune.enabled = False  # see trainer.dataset
    records = tf.data.TFRecordDataset(list(files), "GZIP").with_options(options)
    return iter(records.as_numpy_iterator())
