"""ModelReport: what a model answers, how fast, when it fails, and pictures of it all."""

from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import ModelFindings
from components.model_report.executor import Executor
from components.model_report.report import ReportSettings


class ModelReportSpec(component_spec.ComponentSpec):
    """See ModelReport."""

    PARAMETERS: ClassVar = {
        "name": ExecutionParameter(type=str),
        "settings": ExecutionParameter(type=str),  # ReportSettings as JSON
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }
    OUTPUTS: ClassVar = {"report": ChannelParameter(type=ModelFindings)}


class ModelReport(base_component.BaseComponent):
    """Asks a servable about the test faces as its clients would, and writes a report."""

    SPEC_CLASS = ModelReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        name: str,
        model: BaseChannel,
        examples: BaseChannel,
        evaluation: BaseChannel,
        model_run: BaseChannel | None = None,
        settings: ReportSettings | None = None,
        code_fingerprint: str = "",
    ) -> None:
        """Binds the inputs.

        Args:
          name: of the candidate, or "champion".
          model: the servable.
          examples: FaceExampleGen's, of which split test is looked at.
          evaluation: the Evaluator's figures of the same model.
          model_run: of its training; without, no learning curves and no look inside.
          settings: how much is looked at.
          code_fingerprint: of the modules this node runs.
        """
        given = {} if model_run is None else {"model_run": model_run}
        super().__init__(
            spec=ModelReportSpec(
                name=name,
                model=model,
                examples=examples,
                evaluation=evaluation,
                settings=(settings or ReportSettings()).model_dump_json(),
                code_fingerprint=code_fingerprint,
                report=channel_utils.as_channel([ModelFindings()]),
                **given,
            )
        )
