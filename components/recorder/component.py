"""Recorder: on a cluster, the node that records the run in MLflow; locally the runner does."""

import json
from collections.abc import Iterable, Mapping
from typing import ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import channel_utils, component_spec
from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.artifacts import RunRecord
from components.recorder.executor import Executor
from components.recorder.logic import MODEL, READ, input_key


class RecorderSpec(component_spec.ComponentSpec):
    """What every Recorder has; the inputs are as many as the graph has nodes to read from."""

    PARAMETERS: ClassVar = {
        "nodes": ExecutionParameter(type=str),  # JSON list of the ids of all nodes, as they run
        "settings": ExecutionParameter(type=str),  # as JSON
        "run_id": ExecutionParameter(type=str),
        "data_uri": ExecutionParameter(type=str),
        "data_fingerprint": ExecutionParameter(type=str),
        "commit": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {"record": ChannelParameter(type=RunRecord)}


class Recorder(base_component.BaseComponent):
    """Records a run that came to its end. One that did not is recorded by who waits for it.

    Output `record` holds `record.json`, and has the custom properties `exit_code`, as `agegender
    run` would have had it, and `delivered`: 0 when MLflow did not answer and the record is kept.
    """

    SPEC_CLASS = RecorderSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        nodes: Iterable[BaseNode],
        models: Mapping[str, BaseChannel],
        settings: str,
        run_id: str,
        data_uri: str,
        data_fingerprint: str,
        commit: str,
    ) -> None:
        """Binds the inputs.

        Args:
          nodes: all others, in the order they run.
          models: the candidates' models, of which the best that passed beside the winner is
            registered.
          settings: of the run, as JSON.
          run_id: the cluster's.
          data_uri: the photographs.
          data_fingerprint: as FaceExampleGen's.
          commit: of the code that runs.
        """
        nodes = list(nodes)
        fed = {
            input_key(node.id, key): node.outputs[key]
            for node in nodes
            for key in READ.get(node.id.partition("_")[0], ())
        }
        fed |= {input_key(MODEL, name): channel for name, channel in models.items()}
        inputs = {key: ChannelParameter(type=channel.type) for key, channel in fed.items()}
        spec = type(RecorderSpec.__name__, (RecorderSpec,), {"INPUTS": inputs})(
            **fed,
            nodes=json.dumps([node.id for node in nodes]),
            settings=settings,
            run_id=run_id,
            data_uri=data_uri,
            data_fingerprint=data_fingerprint,
            commit=commit,
            record=channel_utils.as_channel([RunRecord()]),
        )
        super().__init__(spec=spec)
