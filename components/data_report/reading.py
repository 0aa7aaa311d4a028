"""From the protos of TensorFlow Data Validation to facts. Free of TensorFlow itself."""

import math
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.data_report.divergence import noise
from components.data_report.facts import PICTURE_FEATURES, Anomaly, Bar, Divergence, Numbers

Dataset: TypeAlias = statistics_pb2.DatasetFeatureStatistics
Statistics = Mapping[str, Dataset]  # by split
Feature: TypeAlias = statistics_pb2.FeatureNameStatistics


def dataset(content: bytes) -> Dataset:
    """The statistics of all faces, from a file of StatisticsGen's.

    Raises:
      DecodeError: when it is no such file.
    """
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    return found.datasets[0] if found.datasets else Dataset()


def numbers(statistics: Dataset) -> dict[str, Numbers]:
    """The figures of the pictures in a split, by feature; those nobody measured are left out."""
    return {
        name: Numbers(
            mean=stats.mean,
            median=stats.median,
            smallest=stats.min,
            largest=stats.max,
            histogram=_histogram(feature),
        )
        for name, feature in _features(statistics).items()
        if name in PICTURE_FEATURES
        and (stats := feature.num_stats).common_stats.num_non_missing
        and math.isfinite(stats.mean)
    }


def anomalies(by_split: Mapping[str, bytes]) -> list[Anomaly]:
    """ExampleValidator's, from its files."""
    return [
        Anomaly(split, name, info.description or info.short_description)
        for split, content in by_split.items()
        for name, info in _infos(anomalies_pb2.Anomalies.FromString(content))
    ]


def divergences(
    by_pair: Mapping[tuple[str, str], bytes], first: Statistics, second: Statistics, words: str
) -> list[Divergence]:
    """DistributionValidator's measurements, from its files.

    Args:
      by_pair: a file for each pair of a split of `first` and one of `second`.
      first: the statistics of what was compared.
      second: the statistics of what it was compared with.
      words: names a pair, as a format of two splits.
    """
    found = []
    for (split, other), content in by_pair.items():
        one, two = first[split], second[other]
        pair = words.format(split, other)
        proto = anomalies_pb2.Anomalies.FromString(content)
        for info in proto.drift_skew_info:
            name = ".".join(info.path.step)
            for measured in info.drift_measurements:
                allowance = _noise(name, one, two)
                bits = None if allowance is None else measured.value
                found.append(Divergence(name, pair, bits, measured.threshold, allowance or 0.0))
        compared = {".".join(info.path.step) for info in proto.drift_skew_info}
        # TFX names here what it could not compare, too.
        found += [
            Divergence(name, pair, None, 0.0, 0.0)
            for name, _ in _infos(proto)
            if name and name not in compared
        ]
    return sorted(found, key=lambda one: one.feature)


def _features(
    statistics: Dataset,
) -> dict[str, Feature]:
    return {feature.name or ".".join(feature.path.step): feature for feature in statistics.features}


def _infos(proto: anomalies_pb2.Anomalies) -> Iterator[tuple[str, anomalies_pb2.AnomalyInfo]]:
    if proto.data_missing:
        yield "", anomalies_pb2.AnomalyInfo(description="there are no examples")
    if proto.HasField("dataset_anomaly_info"):
        yield "", proto.dataset_anomaly_info
    for key in sorted(proto.anomaly_info):
        info = proto.anomaly_info[key]
        yield ".".join(info.path.step) or key, info


def _histogram(feature: Feature) -> tuple[Bar, ...]:
    """The bars of equal width."""
    for histogram in feature.num_stats.histograms:
        if histogram.type == histogram.STANDARD:
            bars = histogram.buckets
            return tuple(Bar(bar.low_value, bar.high_value, bar.sample_count) for bar in bars)
    return ()


def _noise(
    name: str,
    one: Dataset,
    two: Dataset,
) -> float | None:
    """What chance may add to a feature's divergence, bits; None when a side has no faces."""
    if not (one.num_examples and two.num_examples):
        return None
    values = set().union(*(_values(_features(side).get(name)) for side in (one, two)))
    bins = len(values) - 1 if all(isinstance(value, float) for value in values) else len(values)
    return noise(bins, one.num_examples, two.num_examples)


def _values(feature: Feature | None) -> set[str] | set[float]:
    """The values of a categorical feature, or the edges of a numeric one's bars.

    To compare two histograms TFDV cuts both at the edges of either.
    """
    if feature is None:
        return set()
    if feature.HasField("string_stats"):
        return {bucket.label for bucket in feature.string_stats.rank_histogram.buckets}
    return {edge for bar in _histogram(feature) for edge in (bar.low, bar.high)}
