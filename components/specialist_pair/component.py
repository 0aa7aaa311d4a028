"""SpecialistPair: a model of gender and a model of age joined into one candidate."""

from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.specialist_pair.executor import Executor


class SpecialistPairSpec(component_spec.ComponentSpec):
    """See SpecialistPair."""

    PARAMETERS: ClassVar = {
        "age_groups": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "gender_model_run": ChannelParameter(type=standard_artifacts.ModelRun),
        "age_model_run": ChannelParameter(type=standard_artifacts.ModelRun),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS: ClassVar = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }


class SpecialistPair(base_component.BaseComponent):
    """Joins two trained models; its outputs are like those of a Trainer."""

    SPEC_CLASS = SpecialistPairSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        gender_model_run: BaseChannel,
        age_model_run: BaseChannel,
        transform_graph: BaseChannel,
        age_groups: str = "decades",
        code_fingerprint: str = "",
    ) -> None:
        """Binds the inputs.

        Args:
          gender_model_run: of the Trainer of a model that answers gender.
          age_model_run: of the Trainer of a model that answers age.
          transform_graph: behind which both were trained.
          age_groups: the scheme of the served `age_group`.
          code_fingerprint: of the modules this node runs.
        """
        super().__init__(
            spec=SpecialistPairSpec(
                gender_model_run=gender_model_run,
                age_model_run=age_model_run,
                transform_graph=transform_graph,
                age_groups=age_groups,
                code_fingerprint=code_fingerprint,
                model=channel_utils.as_channel([standard_artifacts.Model()]),
                model_run=channel_utils.as_channel([standard_artifacts.ModelRun()]),
            )
        )
