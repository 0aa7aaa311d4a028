"""ModelCard: what people should know of the model before they use it.

The Selector chooses at run time, so every candidate's inputs are fed, as they are to it.
"""

from collections.abc import Mapping
from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import artifact as tfx_artifact
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import DataVerdict, Leaderboard, ModelFindings, Rejects
from components.artifacts import ModelCard as Card
from components.model_card.executor import Executor
from components.model_card.known import About
from components.selector.component import Judged, spec_for

_KINDS: Mapping[str, type[tfx_artifact.Artifact]] = {
    "model_run": standard_artifacts.ModelRun,
    "report": ModelFindings,
}


class ModelCardSpec(component_spec.ComponentSpec):
    """What every ModelCard has; `spec_for` adds the candidates' inputs."""

    PARAMETERS: ClassVar = {
        "about": ExecutionParameter(type=str),  # About as JSON
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "leaderboard": ChannelParameter(type=Leaderboard),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
        "rejects": ChannelParameter(type=Rejects),
        "verdict": ChannelParameter(type=DataVerdict),
    }
    OUTPUTS: ClassVar = {"card": ChannelParameter(type=Card)}


class ModelCard(base_component.BaseComponent):
    """Writes the card of the Selector's model, whether it was published or not.

    Output `card` holds `card.html` and `card.md`, and has the custom properties `candidate`,
    `content_digest`, `published` (1 or 0) and, where it is 1, `version`.
    """

    SPEC_CLASS = ModelCardSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        candidates: Mapping[str, Judged],
        leaderboard: BaseChannel,
        model: BaseChannel,
        pushed_model: BaseChannel,
        rejects: BaseChannel,
        verdict: BaseChannel,
        about: About,
        code_fingerprint: str = "",
    ) -> None:
        """Binds the inputs.

        Args:
          candidates: as the Selector's.
          leaderboard: Selector's.
          model: Selector's, which says what the content is.
          pushed_model: Publisher's, which says what became of it.
          rejects: FaceExampleGen's.
          verdict: DataReport's.
          about: what no artifact says of the run.
          code_fingerprint: of the modules this node runs.
        """
        inputs = {
            f"{kind}_{name}": getattr(judged, kind)
            for name, judged in candidates.items()
            for kind in _KINDS
        }
        super().__init__(
            spec=spec_for(ModelCardSpec, candidates, _KINDS)(
                **inputs,
                leaderboard=leaderboard,
                model=model,
                pushed_model=pushed_model,
                rejects=rejects,
                verdict=verdict,
                about=about.model_dump_json(),
                code_fingerprint=code_fingerprint,
                card=channel_utils.as_channel([Card()]),
            )
        )
