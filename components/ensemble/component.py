"""Ensemble: trained models that answer both questions, joined into one candidate by their mean.

Each member brings an input of its own, so the spec is made per pipeline, as the Selector's is.
"""

import json
from collections.abc import Mapping

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.ensemble.executor import Executor, member_key
from components.selector.component import spec_for


class EnsembleSpec(component_spec.ComponentSpec):
    """What every Ensemble has; `spec_for` adds the members' inputs."""

    PARAMETERS = {  # noqa: RUF012
        "members": ExecutionParameter(type=str),  # JSON list of names
        "age_groups": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
    }


class Ensemble(base_component.BaseComponent):
    """Averages what trained models answer; its outputs are like those of a Trainer."""

    SPEC_CLASS = EnsembleSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        members: Mapping[str, BaseChannel],
        examples: BaseChannel,
        transform_graph: BaseChannel,
        age_groups: str = "decades",
        code_fingerprint: str = "",
    ) -> None:
        """Binds the inputs.

        Args:
          members: the model_runs of Trainers, by the names of the trained models.
          examples: transformed, with splits val and calib.
          transform_graph: behind which all were trained.
          age_groups: the scheme of the served `age_group`.
          code_fingerprint: of the modules this node runs.
        """
        spec = spec_for(EnsembleSpec, members, {"model_run": standard_artifacts.ModelRun})(
            **{member_key(name): channel for name, channel in members.items()},
            examples=examples,
            transform_graph=transform_graph,
            members=json.dumps(sorted(members)),
            age_groups=age_groups,
            code_fingerprint=code_fingerprint,
            **{
                name: channel_utils.as_channel([parameter.type()])
                for name, parameter in EnsembleSpec.OUTPUTS.items()
            },
        )
        super().__init__(spec=spec)
