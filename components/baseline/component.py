"""Baseline: the statistics this run's data are compared with for drift."""

from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.baseline.executor import Executor


class BaselineSpec(component_spec.ComponentSpec):
    """See Baseline."""

    PARAMETERS: ClassVar = {
        "baseline_uri": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
    }
    OUTPUTS: ClassVar = {
        "baseline_statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
    }


class Baseline(base_component.BaseComponent):
    """Hands on the statistics of the last other data that passed the gate: one shape of graph.

    Output `baseline_statistics` has the custom property `has_baseline`: 1, or 0 where no data have
    passed before and this run's own statistics stand in for them.
    """

    SPEC_CLASS = BaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, statistics: BaseChannel, baseline_uri: str, code_fingerprint: str = ""
    ) -> None:
        """Binds the inputs.

        Args:
          statistics: of this run's raw examples.
          baseline_uri: the statistics to compare them with; "" when there are none.
          code_fingerprint: of the modules this node runs.
        """
        output = channel_utils.as_channel([standard_artifacts.ExampleStatistics()])
        super().__init__(
            spec=BaselineSpec(
                statistics=statistics,
                baseline_uri=baseline_uri,
                code_fingerprint=code_fingerprint,
                baseline_statistics=output,
            )
        )
