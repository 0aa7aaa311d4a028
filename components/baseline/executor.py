"""Copies the accepted statistics or, when there are none, this run's own."""

from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

HAS_BASELINE_PROPERTY = "has_baseline"


class Executor(base_executor.BaseExecutor):
    """See Baseline."""

    def Do(  # noqa: N802
        self,
        input_dict: Mapping[str, list[types.Artifact]],
        output_dict: Mapping[str, list[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Copies, for a run must be explainable after the earlier one is gone."""
        statistics = artifact_utils.get_single_instance(input_dict["statistics"])
        output = artifact_utils.get_single_instance(output_dict["baseline_statistics"])
        accepted = exec_properties["baseline_uri"]
        io_utils.copy_dir(accepted or statistics.uri, output.uri)
        output.split_names = statistics.split_names
        output.set_int_custom_property(HAS_BASELINE_PROPERTY, int(bool(accepted)))
