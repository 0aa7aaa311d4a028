"""What TFMA does not measure itself: figures that need several of a model's outputs, and ECE.

TFMA finds all of this by name: the metrics' classes (see `pipeline.evaluation`) and
`custom_extractors`, which TFX's Evaluator calls where its `module_path` names this module.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import calibration_histogram, metric_types

from schema import features
from schema.age_groups import GROUPS, Scheme, group_of
from trainer.metrics import expected_calibration_error


class Face(NamedTuple):
    """What was answered about a face, and its age in truth; all but `group_is_right` in years."""

    true_age: float
    age: float
    age_low: float
    age_high: float
    group_is_right: float  # 1 or 0; NaN when the answer is no group of the scheme in use


# Figures that are means over faces. A new one is one line here. An age that is not a number is
# a miss.
MEANS: Mapping[str, Callable[[Face], float]] = {
    "age_within_5": lambda face: abs(face.age - face.true_age) <= 5,
    "age_within_10": lambda face: abs(face.age - face.true_age) <= 10,
    "age_coverage": lambda face: face.age_low <= face.true_age <= face.age_high,
    "age_interval_width": lambda face: face.age_high - face.age_low,
    "age_group_accuracy": lambda face: face.group_is_right,
    "_squared_error": lambda face: (face.age - face.true_age) ** 2,
    "_true_age": lambda face: face.true_age,
    "_true_age_squared": lambda face: face.true_age**2,
}

# Figures that follow from those.
FROM_MEANS: Mapping[str, Callable[[Mapping[str, float]], float]] = {
    "age_rmse": lambda mean: math.sqrt(mean["_squared_error"]),
    "age_r2": lambda mean: _r2(
        mean["_squared_error"], mean["_true_age"], mean["_true_age_squared"]
    ),
}

FACE_FIGURES = (*(name for name in MEANS if not name.startswith("_")), *FROM_MEANS)


class ExpectedCalibrationError(metric_types.Metric):
    """ECE of a probability in 15 bins of equal mass, from TFMA's histogram in 10,000 steps."""

    def __init__(
        self,
        name: str = "expected_calibration_error",
        code: str = "",  # noqa: ARG002
    ) -> None:
        """`code`, a digest of this module, is there for the caching of TFX to see it change."""
        super().__init__(_expected_calibration_error, name=name)


class FaceFigures(metric_types.Metric):
    """All of FACE_FIGURES under their own names."""

    def __init__(
        self,
        name: str = "face_figures",
        age_groups: Scheme = "decades",
        code: str = "",  # noqa: ARG002
    ) -> None:
        """`age_groups` is the scheme that answers are held against; `code` as above."""
        super().__init__(_face_figures, name=name, age_groups=age_groups)


def custom_extractors(
    eval_shared_model: Any, eval_config: Any, tensor_adapter_config: Any
) -> list[Any]:
    """TFMA's extractors, and one that lets faces be sliced by the age they were given."""
    *others, slices = tfma.default_extractors(
        eval_shared_model=eval_shared_model,
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
    )
    predicted = tfma.extractors.Extractor(
        stage_name="PredictedAgeGroup", ptransform=beam.Map(_with_predicted_age_group)
    )
    return [*others, predicted, slices]


def _with_predicted_age_group(extracts: dict[str, Any]) -> dict[str, Any]:
    age = _number(extracts[tfma.PREDICTIONS_KEY][features.OUT_AGE])
    group = np.array([features.age_group(age).encode()])
    found = {**extracts[tfma.FEATURES_KEY], features.PREDICTED_AGE_GROUP: group}
    return {**extracts, tfma.FEATURES_KEY: found}


def _expected_calibration_error(name: str, output_names: list[str] | None = None) -> list[Any]:
    output = output_names[0] if output_names else ""
    key = metric_types.MetricKey(name=name, output_name=output)
    # As AUC asks for it, so that TFMA makes it only once.
    histogram = calibration_histogram.calibration_histogram(output_name=output)

    def result(metrics: Mapping[Any, Any]) -> dict[Any, float]:
        buckets = metrics[histogram[-1].keys[0]]
        examples = [one.weighted_examples for one in buckets]
        predictions = [one.weighted_predictions for one in buckets]
        labels = [one.weighted_labels for one in buckets]
        return {key: expected_calibration_error(examples, predictions, labels)}

    return [*histogram, metric_types.DerivedMetricComputation(keys=[key], result=result)]


def _face_figures(name: str, age_groups: Scheme) -> list[Any]:  # noqa: ARG001
    return [
        metric_types.MetricComputation(
            keys=[_key(figure) for figure in FACE_FIGURES],
            preprocessors=[_Faces(age_groups)],
            combiner=_Means(),
        )
    ]


class _Faces(metric_types.Preprocessor):
    """From TFMA's extracts of one face to the terms of MEANS and their count, [len(MEANS) + 1]."""

    def __init__(self, scheme: Scheme) -> None:
        super().__init__()
        self._scheme = scheme

    def process(self, extracts: dict[str, Any]) -> Iterator[np.ndarray]:
        labels, answers = extracts[tfma.LABELS_KEY], extracts[tfma.PREDICTIONS_KEY]
        true_age = _number(labels[features.OUT_AGE])
        group = np.asarray(answers[features.OUT_AGE_GROUP]).item().decode()
        face = Face(
            true_age=true_age,
            age=_number(answers[features.OUT_AGE]),
            age_low=_number(answers[features.OUT_AGE_LOW]),
            age_high=_number(answers[features.OUT_AGE_HIGH]),
            group_is_right=(
                float(group == group_of(true_age, self._scheme))
                if group in GROUPS[self._scheme]
                else math.nan
            ),
        )
        yield np.array([*(term(face) for term in MEANS.values()), 1.0])


class _Means(beam.CombineFn):
    """Adds the terms of faces up and makes figures of them."""

    def create_accumulator(self) -> np.ndarray:
        return np.zeros(len(MEANS) + 1)

    def add_input(self, accumulator: np.ndarray, element: np.ndarray) -> np.ndarray:
        return accumulator + element

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        return np.sum(list(accumulators), axis=0)

    def extract_output(self, accumulator: np.ndarray) -> dict[Any, float]:
        *sums, count = accumulator.tolist()
        means = {
            name: total / count if count else math.nan
            for name, total in zip(MEANS, sums, strict=True)
        }
        figures = means | {name: figure(means) for name, figure in FROM_MEANS.items()}
        return {_key(name): figures[name] for name in FACE_FIGURES}


def _key(name: str) -> Any:
    return metric_types.MetricKey(name=name, output_name=features.OUT_AGE)


def _number(value: Any) -> float:
    return float(np.asarray(value).item())


def _r2(squared_error: float, mean: float, mean_of_squares: float) -> float:
    """The share of the variance of true ages that is explained; NaN where all are of one age."""
    variance = mean_of_squares - mean**2
    # Ages are whole years: less than this is what rounding leaves of 0.
    return 1 - squared_error / variance if variance > 1e-6 else math.nan
