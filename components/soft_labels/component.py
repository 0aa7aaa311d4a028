"""SoftLabels: what a teacher answers to the training pictures, written beside their labels.

A student learns from both (knowledge distillation, Hinton et al. 2015). As examples of their own
they are what the student's Trainer is fed, so that it is TFX's, like every other.
"""

from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.soft_labels.executor import Executor


class SoftLabelsSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of SoftLabels."""

    PARAMETERS: ClassVar = {
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }
    OUTPUTS: ClassVar = {
        "taught_examples": ChannelParameter(type=standard_artifacts.Examples),
    }


class SoftLabels(base_component.BaseComponent):
    """Asks a teacher about split train; the other splits it passes on as they are."""

    SPEC_CLASS = SoftLabelsSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, examples: BaseChannel, model_run: BaseChannel, code_fingerprint: str = ""
    ) -> None:
        """Binds the inputs.

        Args:
          examples: transformed, with splits train, val and calib.
          model_run: of the teacher, which answers both questions.
          code_fingerprint: of the modules this node runs.
        """
        super().__init__(
            spec=SoftLabelsSpec(
                examples=examples,
                model_run=model_run,
                code_fingerprint=code_fingerprint,
                taught_examples=channel_utils.as_channel([standard_artifacts.Examples()]),
            )
        )
