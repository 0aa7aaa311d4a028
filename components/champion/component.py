"""Champion: the model served now, so that candidates are judged beside it on the same faces."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, component_spec, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.champion.executor import Executor


class ChampionSpec(component_spec.ComponentSpec):
    """See Champion."""

    PARAMETERS = {  # noqa: RUF012
        "model_dir": ExecutionParameter(type=str),
        "serving_state": ExecutionParameter(type=str),
        "store_size": ExecutionParameter(type=int),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}  # noqa: RUF012


class Champion(base_component.BaseComponent):
    """The served model or, when nothing is served, the constant predictor: one shape of graph.

    Output `model` has the custom property `champion_version`, 0 for the constant predictor.
    """

    SPEC_CLASS = ChampionSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: BaseChannel,
        transform_graph: BaseChannel,
        model_dir: str,
        serving_state: str,
        store_size: int,
        code_fingerprint: str = "",
    ) -> None:
        """Binds the inputs.

        Args:
          statistics: of the raw examples; split train gives the constant.
          transform_graph: behind which the constant predictor is exported.
          model_dir: the folder of served versions.
          serving_state: serving.versions.serving_state of it; only there so that caching sees a
            publication, a rollback or a deletion.
          store_size: side of the stored pictures, pixels.
          code_fingerprint: of the modules this node runs.
        """
        super().__init__(
            spec=ChampionSpec(
                statistics=statistics,
                transform_graph=transform_graph,
                model_dir=model_dir,
                serving_state=serving_state,
                store_size=store_size,
                code_fingerprint=code_fingerprint,
                model=channel_utils.as_channel([standard_artifacts.Model()]),
            )
        )
