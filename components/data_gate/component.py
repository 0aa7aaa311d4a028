"""DataGate: nothing is learned from data that broke a rule, unless a person says so."""

from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import DataApproval, DataVerdict
from components.data_gate.executor import Executor


class DataGateSpec(component_spec.ComponentSpec):
    """See DataGate."""

    PARAMETERS: ClassVar = {
        "data_uri": ExecutionParameter(type=str),
        "data_fingerprint": ExecutionParameter(type=str),
        "accept_reason": ExecutionParameter(type=str),
        "accepted_by": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "verdict": ChannelParameter(type=DataVerdict),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
    }
    OUTPUTS: ClassVar = {"approval": ChannelParameter(type=DataApproval)}


class DataGate(base_component.BaseComponent):
    """Fails when the verdict on the data is bad and nobody accepted them.

    What learns from the data must have it upstream. It is no input of theirs: data that are judged
    again, say against another baseline, would else be learned from again.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        verdict: BaseChannel,
        statistics: BaseChannel,
        data_uri: str,
        data_fingerprint: str,
        accept_reason: str = "",
        accepted_by: str = "",
        code_fingerprint: str = "",
    ) -> None:
        """Binds the inputs.

        Args:
          verdict: DataReport's.
          statistics: of the data it judged. Data that pass are the next ones' baseline: this and
            the two parameters below tell where to find it.
          data_uri: the photographs.
          data_fingerprint: as FaceExampleGen's.
          accept_reason: why the data are accepted whatever the verdict; "" when they are not.
          accepted_by: who says so.
          code_fingerprint: of the modules this node runs.
        """
        super().__init__(
            spec=DataGateSpec(
                verdict=verdict,
                statistics=statistics,
                data_uri=data_uri,
                data_fingerprint=data_fingerprint,
                accept_reason=accept_reason,
                accepted_by=accepted_by,
                code_fingerprint=code_fingerprint,
                approval=channel_utils.as_channel([DataApproval()]),
            )
        )
