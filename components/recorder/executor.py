"""Reads what the run left, and records it with what records a local run."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.recorder.logic import node_runs, past
from pipeline import outcome
from pipeline.record import Artifact, value_of
from pipeline.settings import Settings
from pipeline.tracking import place
from pipeline.tracking.recorder import STATES, Recorder
from schema import features

log = logging.getLogger(__name__)

FILE = "record.json"


class Executor(base_executor.BaseExecutor):
    """See Recorder."""

    def Do(  # noqa: N802
        self,
        input_dict: Mapping[str, list[types.Artifact]],
        output_dict: Mapping[str, list[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Records the run; an MLflow that does not answer ends no run that published a model."""
        from pipeline.kubeflow import run_record

        settings = Settings.model_validate_json(exec_properties["settings"])
        nodes = json.loads(exec_properties["nodes"])
        fed = {
            key: _artifact(artifact_utils.get_single_instance(found))
            for key, found in input_dict.items()
        }
        runs = node_runs(nodes, fed, exec_properties)
        ended = outcome.of_run(nodes, runs, settings.serving_dir / features.MODEL_NAME)
        run_id = run_record.known(exec_properties["run_id"])
        recorder = Recorder(
            settings.model_copy(
                # What the machine does while this node runs says nothing of the training.
                update={"tracking": settings.tracking.model_copy(update={"system_seconds": 0.0})}
            ),
            place.of(settings.tracking, Path(settings.workdir)),
            Path(exec_properties["data_uri"]).name,
            record=run_record.name(run_id),
            tags=run_record.tags(run_id, exec_properties["commit"]),
        )
        for name, run in runs.items():
            try:
                for news in past(name, run):
                    recorder.trained(news)
                recorder.finished(name, run, None)
            except Exception:  # a record that cannot be made must not end a run
                log.exception("%s could not be recorded", name)
        said = recorder.close(ended.exit_code, STATES[ended.exit_code], ended.sentence, None)
        if said:
            log.warning("%s", said)
        output = artifact_utils.get_single_instance(output_dict["record"])
        output.set_int_custom_property("exit_code", ended.exit_code)
        output.set_int_custom_property("delivered", int(not said))
        told = {"exit_code": ended.exit_code, "outcome": ended.sentence, "record": recorder.record}
        folder = Path(output.uri)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(told | {"undelivered": said}, indent=2))


def _artifact(found: types.Artifact) -> Artifact:
    values = found.mlmd_artifact.custom_properties
    properties = {
        # Kubeflow keeps every property as JSON.
        name: found.get_json_value_custom_property(name)
        if value.HasField("struct_value")
        else value_of(value)
        for name, value in values.items()
    }
    return Artifact(found.id, found.uri, properties)
