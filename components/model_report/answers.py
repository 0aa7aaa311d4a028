"""What a servable answers about every face of a split, asked as clients would ask."""

import gzip
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.finite import finite
from schema import features

FILE = "answers.jsonl.gz"
BATCH = 64  # faces

Floats = npt.NDArray[np.float64]

_LABELS = {
    features.FILENAME: tf.io.FixedLenFeature([], tf.string),
    features.AGE: tf.io.FixedLenFeature([], tf.int64),
    features.GENDER: tf.io.FixedLenFeature([], tf.int64),
    features.RACE: tf.io.FixedLenFeature([], tf.int64),
}
_IMAGE = {features.IMAGE: tf.io.FixedLenFeature([], tf.string)}


@dataclass(frozen=True)
class Answers:
    """Labels and answers of the faces of a split, in the order of its files.

    Attributes:
      labels: by feature: `filename` (bytes), `age` (years), `gender`, `race`, [n] each.
      outputs: by the servable's output: ages in years, probabilities, strings as bytes, [n] each.
    """

    labels: dict[str, npt.NDArray[Any]]
    outputs: dict[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.true_age)

    @property
    def true_age(self) -> Floats:
        """Years, [n]."""
        return self.labels[features.AGE].astype(np.float64)

    @property
    def age(self) -> Floats:
        """As answered, years, [n]."""
        return self.outputs[features.OUT_AGE].astype(np.float64)

    @property
    def error(self) -> Floats:
        """How much too old a face was taken for, years, [n]."""
        return self.age - self.true_age

    @property
    def in_range(self) -> npt.NDArray[np.bool_]:
        """Whether the true age lies in the interval, [n]."""
        low, high = self.outputs[features.OUT_AGE_LOW], self.outputs[features.OUT_AGE_HIGH]
        return (low <= self.true_age) & (self.true_age <= high)

    @property
    def female(self) -> npt.NDArray[np.bool_]:
        """In truth, [n]."""
        return self.labels[features.GENDER] == 1

    @property
    def female_probability(self) -> Floats:
        """As answered, [n]."""
        return self.outputs[features.OUT_FEMALE_PROBABILITY].astype(np.float64)

    @property
    def taken_for_female(self) -> npt.NDArray[np.bool_]:
        """As answered, [n]."""
        return self.female_probability >= 0.5

    def part(self, indices: npt.NDArray[np.integer]) -> "Answers":
        """Those of some faces alone."""
        return Answers(
            {name: values[indices] for name, values in self.labels.items()},
            {name: values[indices] for name, values in self.outputs.items()},
        )


def ask(model: Any, files: Sequence[str]) -> Answers:
    """Asks a loaded SavedModel about serialized examples, a batch at a time.

    Args:
      model: has the signature `serving_examples`.
      files: gzipped TFRecords of raw examples with labels.

    Raises:
      ValueError: when the files hold no example.
    """
    signature = model.signatures[features.SIGNATURE_EXAMPLES]
    labels, outputs = [], []
    for batch in _records(files).batch(BATCH):
        labels.append(tf.io.parse_example(batch, _LABELS))
        outputs.append(signature(**{features.INPUT_EXAMPLES: batch}))
    if not labels:
        raise ValueError(f"no examples in {', '.join(files)}")
    return Answers(_joined(labels), _joined(outputs))


def ask_pictures(model: Any, pictures: Sequence[bytes]) -> dict[str, npt.NDArray[Any]]:
    """The outputs of `serving_default` for encoded pictures, [n] each."""
    signature = model.signatures[features.SIGNATURE_DEFAULT]
    return _joined([signature(**{features.INPUT_IMAGE_BYTES: tf.constant(pictures)})])


def pictures_of(files: Sequence[str], indices: Collection[int]) -> dict[int, bytes]:
    """The encoded pictures of the faces at some places in the files."""
    wanted, found = set(indices), {}
    for index, record in enumerate(_records(files)):
        if index in wanted:
            picture = tf.io.parse_single_example(record, _IMAGE)[features.IMAGE]
            found[index] = bytes(picture.numpy())
    return found


def write(path: Path, answers: Answers) -> None:
    """Writes a JSON line per face: its labels and, under `answer`, what was answered.

    The same answers give the same bytes.
    """
    # Without a name and a time in its head.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for line in _lines(answers):
            file.write((json.dumps(line, allow_nan=False) + "\n").encode())


def _lines(answers: Answers) -> Iterator[dict[str, Any]]:
    for index in range(len(answers)):
        labels, answer = (
            {name: _plain(values[index]) for name, values in sorted(side.items())}
            for side in (answers.labels, answers.outputs)
        )
        yield labels | {"answer": answer}


def _plain(value: Any) -> Any:
    """A number or a text for JSON; None for what is not a number."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return finite(value.item())


def _records(files: Sequence[str]) -> tf.data.Dataset:
    options = tf.data.Options()
    options.autotune.enabled = False  # see trainer.dataset
    return tf.data.TFRecordDataset(list(files), "GZIP").with_options(options)


def _joined(parts: list[dict[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}
