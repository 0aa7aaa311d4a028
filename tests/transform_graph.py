"""A Transform graph as the pipeline makes it, in seconds and without a pipeline."""

from pathlib import Path

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from schema import features
from trainer.preprocessing import preprocessing_fn

RAW_SPEC = {
    features.IMAGE: tf.io.FixedLenFeature([1], tf.string),
    features.AGE: tf.io.FixedLenFeature([1], tf.int64),
    features.GENDER: tf.io.FixedLenFeature([1], tf.int64),
}


def write(folder: Path, store_size: int) -> Path:
    """Writes the graph into `folder`, as a TransformGraph artifact holds it."""
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(RAW_SPEC))
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=in_memory"])
    with (
        beam.Pipeline(options=options) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "scratch")),
    ):
        nothing = pipeline | beam.Create([])
        (
            (nothing, metadata)
            | tft_beam.AnalyzeDataset(
                lambda inputs: preprocessing_fn(inputs, {"store_size": store_size})
            )
            | tft_beam.WriteTransformFn(str(folder))
        )
    metadata_dir = folder / "metadata"
    _write_schema(metadata, metadata_dir)
    return folder


def _write_schema(metadata: dataset_metadata.DatasetMetadata, folder: Path) -> None:
    from tensorflow_transform.tf_metadata import metadata_io

    metadata_io.write_metadata(metadata, str(folder))
