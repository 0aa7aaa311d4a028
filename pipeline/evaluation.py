"""What the Evaluators measure, and how to read what they wrote.

TFMA takes seconds to import, so each function imports what it needs.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from components.selector.logic import Thresholds
from components.selector.slices import DIMENSIONS, OVERALL
from schema import features
from schema.age_groups import Scheme

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

SLICES = ((), *DIMENSIONS.values())

# Whatever only TFMA can tell apart by name: metrics of our own, and extractors for TFX's Evaluator.
MODULE = "pipeline.metrics"

# Our name for a metric -> its class, TFMA's or MODULE's. A new metric is one line here.
AGE_METRICS = {
    "age_mae": "MeanAbsoluteError",
    "age_mse": "MeanSquaredError",
    "age_mean": "MeanPrediction",
    "examples": "ExampleCount",
    "face_figures": "FaceFigures",  # many at once: see pipeline.metrics.FACE_FIGURES
}
GENDER_METRICS = {
    "gender_accuracy": "BinaryAccuracy",
    "gender_auc": "AUC",
    "gender_precision": "Precision",
    "gender_recall": "Recall",
    "gender_f1": "F1Score",
    "gender_calibration": "Calibration",
    "gender_ece": "ExpectedCalibrationError",
    "female_share": "MeanLabel",
}


def eval_config(
    thresholds: Thresholds | None, age_groups: Scheme = "decades", code: str = ""
) -> config_pb2.EvalConfig:
    """What an Evaluator measures on raw examples.

    Args:
      thresholds: what it judges by; without, it only measures.
      age_groups: the scheme that served age groups are held against.
      code: a digest of MODULE, so that caching sees it change.
    """
    from tensorflow_model_analysis.proto import config_pb2

    bounds = _bounds(thresholds)
    ours = {
        "FaceFigures": {"age_groups": age_groups, "code": code},
        "ExpectedCalibrationError": {"code": code},
    }
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name=features.SIGNATURE_EXAMPLES,
                label_keys={
                    features.OUT_AGE: features.AGE,
                    features.OUT_FEMALE_PROBABILITY: features.GENDER,
                },
            )
        ],
        slicing_specs=[config_pb2.SlicingSpec(feature_keys=keys) for keys in SLICES],
        metrics_specs=[
            config_pb2.MetricsSpec(
                # Without it TFMA would feed every output, the strings too, to every metric.
                output_names=[output],
                metrics=[
                    config_pb2.MetricConfig(
                        class_name=class_name,
                        module=MODULE if class_name in ours else "",
                        config=json.dumps({"name": name, **ours.get(class_name, {})}),
                        per_slice_thresholds=_overall_only(bounds.get(name)),
                    )
                    for name, class_name in metrics.items()
                ],
            )
            for output, metrics in (
                (features.OUT_AGE, AGE_METRICS),
                (features.OUT_FEMALE_PROBABILITY, GENDER_METRICS),
            )
        ],
    )


def _bounds(thresholds: Thresholds | None) -> dict[str, dict[str, float]]:
    """TFMA's bound of each metric that has one."""
    if thresholds is None:
        return {}
    bounds: dict[str, dict[str, float]] = {
        "age_mae": {"upper_bound": thresholds.max_age_mae},
        # TFMA leaves faces whose age is NaN out of the errors; their mean is NaN and breaks this.
        "age_mean": {"lower_bound": features.MIN_AGE, "upper_bound": features.MAX_AGE},
        "gender_accuracy": {"lower_bound": thresholds.min_gender_accuracy},
    }
    if thresholds.min_auc is not None:
        bounds["gender_auc"] = {"lower_bound": thresholds.min_auc}
    return bounds


def _overall_only(bound: dict[str, float] | None) -> list[Any]:
    """The bound on the overall slice: TFMA would hold a plain `threshold` against every slice."""
    from tensorflow_model_analysis.proto import config_pb2

    if bound is None:
        return []
    return [
        config_pb2.PerSliceMetricThreshold(
            slicing_specs=[config_pb2.SlicingSpec()],
            threshold=config_pb2.MetricThreshold(
                value_threshold=config_pb2.GenericValueThreshold(
                    **{side: {"value": value} for side, value in bound.items()}
                )
            ),
        )
    ]


def read_metrics(evaluation_uri: str) -> dict[str, dict[str, float]]:
    """Every figure an Evaluator wrote, by slice and metric.

    Slices are "overall", "gender=1", "race=0", "race=0,gender=1", "age_group=20-29" and so on. A
    metric that a slice does not define (the AUC of faces of one gender) is NaN. `age_mean` is of
    the answers, in years; `female_share` of the labels; `gender_calibration` is female answers per
    female label; see `pipeline.metrics` for what TFMA does not measure itself.
    """
    import tensorflow_model_analysis as tfma

    records = tfma.load_metrics(evaluation_uri)
    return {_slice_name(record.slice_key): _figures(record) for record in records}


def _figures(record: Any) -> dict[str, float]:
    figures = {
        item.key.name: item.value.double_value.value
        for item in record.metric_keys_and_values
        if item.value.HasField("double_value")
    }
    if figures.get("female_share") in (0, 1):
        figures["gender_auc"] = math.nan  # TFMA writes 0, which would read as the worst possible
    return figures


def _slice_name(key: Any) -> str:
    values = {}
    for single in key.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind"))
        values[single.column] = value.decode() if isinstance(value, bytes) else value
    # TFMA orders the columns of a crossed slice as it likes.
    columns = next((keys for keys in SLICES if set(keys) == set(values)), tuple(values))
    return ",".join(f"{column}={values[column]}" for column in columns) or OVERALL


def failed_thresholds(evaluation_uri: str) -> list[str]:
    """One line per threshold that was not met, such as "age_mae 9.31 is above 7".

    Empty when all were met, or when the Evaluator had none.
    """
    import tensorflow_model_analysis as tfma

    result = tfma.load_validation_result(evaluation_uri)
    # TFMA lists the slices it met no example of apart from the failures.
    lines = ["no example was evaluated"] if result.missing_slices else []
    for group in result.metric_validations_per_slice:
        lines += [_failure_line(failure) for failure in group.failures]
    return lines


def _failure_line(failure: Any) -> str:
    name = failure.metric_key.name
    if not failure.HasField("metric_value"):
        return f"{name} was not measured"
    measured = failure.metric_value.double_value.value
    if math.isnan(measured):
        return f"{name} is not a number"
    bound = failure.metric_threshold.value_threshold
    if bound.HasField("upper_bound") and measured > bound.upper_bound.value:
        return f"{name} {measured:.4g} is above {bound.upper_bound.value:g}"
    return f"{name} {measured:.4g} is below {bound.lower_bound.value:g}"
