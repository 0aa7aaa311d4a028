"""Hands on the served model or, when nothing is served, makes the constant predictor."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.champion.logic import Constant, constant
from schema import features
from serving import versions

VERSION_PROPERTY = "champion_version"  # 0 for the constant predictor


class Executor(base_executor.BaseExecutor):
    """See Champion."""

    def Do(  # noqa: N802
        self,
        input_dict: Mapping[str, list[types.Artifact]],
        output_dict: Mapping[str, list[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Writes the champion in a Model artifact's layout."""
        model = artifact_utils.get_single_instance(output_dict["model"])
        target = path_utils.serving_model_path(model.uri)
        served = versions.latest(Path(exec_properties["model_dir"]))
        model.set_int_custom_property(VERSION_PROPERTY, int(served.name) if served else 0)
        if served:
            shutil.copytree(served, target)
            return
        statistics = artifact_utils.get_single_instance(input_dict["statistics"])
        graph = artifact_utils.get_single_instance(input_dict["transform_graph"])
        _export(target, _constant(statistics), graph.uri, exec_properties["store_size"])


def _constant(statistics: types.Artifact) -> Constant:
    import tensorflow_data_validation as tfdv
    from tensorflow_data_validation.utils.stats_util import DatasetListView

    folder = artifact_utils.get_split_uri([statistics], features.SPLITS[0])
    path = io_utils.get_only_uri_in_dir(folder)
    view = DatasetListView(tfdv.load_stats_binary(path)).get_default_slice()
    age = view.get_feature(features.AGE).numeric_statistics()
    quantiles = next(h for h in age.histograms if h.type == h.QUANTILES).buckets
    # Each bucket holds the same share of the faces.
    bounds = [quantiles[0].low_value, *(bucket.high_value for bucket in quantiles)]
    shares = [(i / len(quantiles), years) for i, years in enumerate(bounds)]
    # A categorical domain in the schema: counts per value, as strings.
    genders = view.get_feature(features.GENDER).proto().string_stats.rank_histogram.buckets
    counts = {bucket.label: bucket.sample_count for bucket in genders}
    return constant(shares, counts.get("1", 0.0) / sum(counts.values()))


def _export(target: str, answer: Constant, transform_graph: str, store_size: int) -> None:
    import tensorflow as tf
    import tensorflow_transform as tft

    from trainer.export import export_servable

    def predict(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        one_each = tf.ones([tf.shape(pixels)[0]])
        return {
            features.AGE: answer.age * one_each,
            features.OUT_AGE_LOW: (answer.age - answer.half_width) * one_each,
            features.OUT_AGE_HIGH: (answer.age + answer.half_width) * one_each,
            features.GENDER: answer.female_probability * one_each,
        }

    export_servable(target, predict, tft.TFTransformOutput(transform_graph), store_size)
