"""ServableCheck: proves in a fresh process that the model can be served, before it is."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as keys
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.servable_check.executor import Executor


class ServableCheckSpec(ComponentSpec):
    """Inputs, parameters and output of ServableCheck."""

    PARAMETERS: ClassVar = {
        "max_seconds": ExecutionParameter(type=int),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        keys.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        keys.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        keys.MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS: ClassVar = {keys.BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServableCheck(base_component.BaseComponent):
    """Asks a blessed model everything its contract promises and emits an InfraBlessing.

    Takes InfraValidator's place without Docker or a server: output `blessing` is what Pusher
    expects (see the executor), the model with warm-up requests included.
    """

    SPEC_CLASS = ServableCheckSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        model_blessing: types.BaseChannel,
        code_fingerprint: str,
        max_seconds: int = 300,
    ) -> None:
        """Wire ServableCheck.

        Args:
            model: Selector's choice.
            examples: FaceExampleGen's, the test split of which gives the faces to ask with.
            model_blessing: Selector's; a model without it is not asked and not blessed.
            code_fingerprint: of the modules this node uses, for the cache key.
            max_seconds: what loading and asking may take; beyond it the model is not blessed.
        """
        spec = ServableCheckSpec(
            model=model,
            examples=examples,
            model_blessing=model_blessing,
            max_seconds=max_seconds,
            code_fingerprint=code_fingerprint,
            blessing=types.Channel(type=standard_artifacts.InfraBlessing),
        )
        super().__init__(spec=spec)
