"""Real pictures for the benchmarks, as training sees them: ingested, split, resized, in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.types import standard_artifacts

from components import Rejects
from components.face_example_gen.executor import Executor
from components.face_example_gen.policy import DEFAULT_BALANCE, DEFAULT_POLICY
from pipeline.settings import Settings
from schema import features
from trainer import dataset, predictors, training
from trainer.export import Predictor
from trainer.preprocessing import decode_and_resize

LABELS = (features.AGE, features.GENDER)
BATCH = 64
_SPEC = {features.IMAGE: tf.io.FixedLenFeature([], tf.string)} | {
    name: tf.io.FixedLenFeature([], tf.int64) for name in LABELS
}


@dataclass(frozen=True)
class Pictures:
    """One split: uint8 [n, size, size, 3], and `age` in years and `gender`, float32 [n] each."""

    pixels: npt.NDArray[np.uint8]
    labels: dict[str, npt.NDArray[np.float32]]

    def examples(self) -> tf.data.Dataset:
        """Single examples, as trainer.dataset.load gives them."""
        return tf.data.Dataset.from_tensor_slices((self.pixels, self.labels))

    def batches(self) -> tf.data.Dataset:
        """The same in batches, in order."""
        return dataset.plain_batches(self.examples(), BATCH)

    def figures(self, ask: Predictor) -> dict[str, float]:
        """How good the answers of a model are, before calibration, by trainer.metrics' names."""
        return training.figures_of(*predictors.collect(ask, self.batches()))


def ingest(archive: Path, output: Path, files: int = 0, shards: int = 2) -> None:
    """Runs FaceExampleGen as the pipeline does.

    Args:
      archive: what the pipeline takes as its data.
      output: a folder for `examples` and `rejects`.
      files: use only so many, spread over all; 0 for all.
      shards: files per split.
    """
    examples, rejects = standard_artifacts.Examples(), Rejects()
    examples.uri, rejects.uri = str(output / "examples"), str(output / "rejects")
    beam_args = list(Settings.model_fields["beam_args"].default)
    context = Executor.Context(beam_pipeline_args=beam_args, tmp_dir=str(output / "tmp"))
    properties = {
        "data_uri": str(archive),
        "labels_uri": "",
        "label_columns": "",
        "limit": files,
        "shards": shards,
        "policy": DEFAULT_POLICY.model_dump_json(),
        "balance": DEFAULT_BALANCE.model_dump_json(),
    }
    Executor(context).Do({}, {"examples": [examples], "rejects": [rejects]}, properties)


def load(ingested: Path, split: str, size: int) -> Pictures:
    """What `ingest` wrote of one split, as Transform would store it at `size` pixels."""

    def parse(record: tf.Tensor) -> dataset.Batch:
        example = tf.io.parse_single_example(record, _SPEC)
        labels = {name: tf.cast(example[name], tf.float32) for name in LABELS}
        return decode_and_resize(example[features.IMAGE], size), labels

    files = sorted(str(path) for path in (ingested / "examples" / f"Split-{split}").iterdir())
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    parsed = dataset.answered(records.map(parse, num_parallel_calls=dataset.PARALLEL), LABELS)
    batches = list(parsed.batch(BATCH).as_numpy_iterator())
    return Pictures(
        np.concatenate([pixels for pixels, _ in batches]),
        {name: np.concatenate([labels[name] for _, labels in batches]) for name in LABELS},
    )
