"""What is compared with what: the schema's comparators as DistributionValidator takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.proto import distribution_validator_pb2

from schema import features


@dataclass(frozen=True)
class Comparators:
    """The largest Jensen-Shannon divergence, bits, by compared feature.

    Attributes:
      skew: between what is learned from and what it is for: the other splits, or requests.
      drift: between these data and the last accepted ones.
    """

    skew: Mapping[str, float]
    drift: Mapping[str, float]


# Every other split against the one that is learned from.
SPLIT_PAIRS = [(split, features.SPLITS[0]) for split in features.SPLITS[1:]]
SAME_SPLITS = [(split, split) for split in features.SPLITS]


def comparators(schema_file: Path) -> Comparators:
    """The comparators of a schema in text form.

    Raises:
      ParseError: when it is no schema.
    """
    schema = text_format.Parse(schema_file.read_text(), schema_pb2.Schema())
    return Comparators(
        skew={
            feature.name: feature.skew_comparator.jensen_shannon_divergence.threshold
            for feature in schema.feature
            if feature.HasField("skew_comparator")
        },
        drift={
            feature.name: feature.drift_comparator.jensen_shannon_divergence.threshold
            for feature in schema.feature
            if feature.HasField("drift_comparator")
        },
    )


def distribution_config(
    thresholds: Mapping[str, float],
) -> distribution_validator_pb2.DistributionValidatorConfig:
    """What DistributionValidator is to compare: features and their largest divergence."""
    config = distribution_validator_pb2.DistributionValidatorConfig()
    for name, threshold in sorted(thresholds.items()):
        feature = config.default_slice_config.feature.add()
        feature.path.step.append(name)
        feature.distribution_comparator.jensen_shannon_divergence.threshold = threshold
    return config
