"""TFX's executors that do not run on Kubeflow as they are."""

from typing import Any

from tfx import types
from tfx.components.distribution_validator import executor as distribution_validator
from tfx.proto import distribution_validator_pb2
from tfx.types import standard_component_specs as keys
from tfx.utils import proto_utils


class DistributionValidator(distribution_validator.Executor):
    """TFX's, which takes its configuration for a protocol buffer: on Kubeflow it comes as JSON."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Compares the splits."""
        config = distribution_validator_pb2.DistributionValidatorConfig()
        key = keys.DISTRIBUTION_VALIDATOR_CONFIG_KEY
        proto_utils.json_to_proto(exec_properties[key], config)
        super().Do(input_dict, output_dict, {**exec_properties, key: config})
