"""DataReport: what the data are like, and whether they may be learned from."""

from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import DataVerdict, Rejects
from components.data_report.executor import Executor


class DataReportSpec(component_spec.ComponentSpec):
    """See DataReport."""

    PARAMETERS: ClassVar = {
        "expectations": ExecutionParameter(type=str),
        "source": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "split_anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "drift_anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "baseline_statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "rejects": ChannelParameter(type=Rejects),
    }
    OUTPUTS: ClassVar = {"verdict": ChannelParameter(type=DataVerdict)}


class DataReport(base_component.BaseComponent):
    """Judges the data by rules and writes what it found; raising on it is DataGate's part.

    Output `verdict` holds `verdict.json` and `report.html`, and has the custom properties `passed`
    (1 or 0) and `violated` (how many rules).
    """

    SPEC_CLASS = DataReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: BaseChannel,
        anomalies: BaseChannel,
        split_anomalies: BaseChannel,
        drift_anomalies: BaseChannel,
        baseline_statistics: BaseChannel,
        rejects: BaseChannel,
        expectations: str,
        source: str = "",
        code_fingerprint: str = "",
    ) -> None:
        """Binds the inputs.

        Args:
          statistics: StatisticsGen's, of the raw examples.
          anomalies: ExampleValidator's.
          split_anomalies: DistributionValidator's, split against split.
          drift_anomalies: DistributionValidator's, each split against `baseline_statistics`'.
          baseline_statistics: Baseline's.
          rejects: FaceExampleGen's.
          expectations: the rules by name, as JSON: see components.data_report.expectations.Rule.
          source: which data these are, in words.
          code_fingerprint: of the modules this node runs.
        """
        super().__init__(
            spec=DataReportSpec(
                statistics=statistics,
                anomalies=anomalies,
                split_anomalies=split_anomalies,
                drift_anomalies=drift_anomalies,
                baseline_statistics=baseline_statistics,
                rejects=rejects,
                expectations=expectations,
                source=source,
                code_fingerprint=code_fingerprint,
                verdict=channel_utils.as_channel([DataVerdict()]),
            )
        )
