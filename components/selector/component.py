"""Selector: picks the candidate that may be published.

Each candidate brings five inputs of its own, so the spec is made per pipeline. A union of channels
would need only five keys in all, but Kubeflow's compiler takes single channels only.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import Leaderboard, ModelFindings
from components.selector.executor import Executor
from components.selector.logic import Thresholds
from components.selector.slices import SliceLimits


class Judged(NamedTuple):
    """The channels of one candidate, and the artifact types they carry."""

    model: BaseChannel
    model_run: BaseChannel  # holds figures.json
    evaluation: BaseChannel
    blessing: BaseChannel
    report: BaseChannel


_TYPES: dict[str, type[Artifact]] = {
    "model": standard_artifacts.Model,
    "model_run": standard_artifacts.ModelRun,
    "evaluation": standard_artifacts.ModelEvaluation,
    "blessing": standard_artifacts.ModelBlessing,
    "report": ModelFindings,
}


class SelectorSpec(component_spec.ComponentSpec):
    """What every Selector has; `spec_for` adds the candidates' inputs."""

    PARAMETERS = {  # noqa: RUF012
        "candidates": ExecutionParameter(type=str),  # JSON list of names
        "thresholds": ExecutionParameter(type=str),  # Thresholds as JSON
        "slices": ExecutionParameter(type=str),  # SliceLimits as JSON
        "tolerance": ExecutionParameter(type=float),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "champion_model": ChannelParameter(type=standard_artifacts.Model),
        "champion_evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "champion_report": ChannelParameter(type=ModelFindings),
    }
    OUTPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=standard_artifacts.Model),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "leaderboard": ChannelParameter(type=Leaderboard),
    }


class Selector(base_component.BaseComponent):
    """Hands on the best candidate's model, a blessing if it may be published, the leaderboard."""

    SPEC_CLASS = SelectorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        candidates: Mapping[str, Judged],
        champion_model: BaseChannel,
        champion_evaluation: BaseChannel,
        champion_report: BaseChannel,
        thresholds: Thresholds,
        slices: SliceLimits | None = None,
        tolerance: float = 0.0,
        code_fingerprint: str = "",
    ) -> None:
        """`tolerance`: how much worse than the champion, as a share of its test score, may pass."""
        inputs = {
            f"{kind}_{name}": channel
            for name, judged in candidates.items()
            for kind, channel in judged._asdict().items()
        }
        if not candidates or len(inputs) < len(candidates) * len(_TYPES):
            raise ValueError(f"candidates need at least one name, none like run_*: {[*candidates]}")
        spec = spec_for(SelectorSpec, candidates, _TYPES)(
            **inputs,
            champion_model=champion_model,
            champion_evaluation=champion_evaluation,
            champion_report=champion_report,
            candidates=json.dumps(sorted(candidates)),
            thresholds=thresholds.model_dump_json(),
            slices=(slices or SliceLimits()).model_dump_json(),
            tolerance=float(tolerance),
            code_fingerprint=code_fingerprint,
            **{
                name: channel_utils.as_channel([parameter.type()])
                for name, parameter in SelectorSpec.OUTPUTS.items()
            },
        )
        super().__init__(spec=spec)


def spec_for(
    spec: type[component_spec.ComponentSpec],
    candidates: Iterable[str],
    kinds: Mapping[str, type[Artifact]],
) -> type[component_spec.ComponentSpec]:
    """A spec with an input `<kind>_<candidate>` more for every kind and candidate."""
    inputs = {
        f"{kind}_{name}": ChannelParameter(type=artifact_type)
        for name in candidates
        for kind, artifact_type in kinds.items()
    }
    return type(spec.__name__, (spec,), {"INPUTS": spec.INPUTS | inputs})
