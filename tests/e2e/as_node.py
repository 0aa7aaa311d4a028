"""Records a finished run with Recorder, as if its artifacts had come to that node on a cluster."""

import json
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore
from tfx.types import Artifact, artifact_utils

from components.artifacts import RunRecord
from components.recorder.executor import FILE, Executor
from components.recorder.logic import MODEL, READ, input_key
from pipeline import record
from pipeline.settings import Settings


def recorded(workdir: Path, settings: Settings, folder: Path) -> dict[str, Any]:
    """What the node says of the last run in a work folder.

    Args:
      workdir: of the run.
      settings: of the run, with the place where it is recorded now.
      folder: for the node's output.
    """
    store = record.open_store(workdir / "metadata.db")
    run = record.last_run(store)
    assert run
    nodes = record.nodes(store, run)
    fed = {
        input_key(name, key): [_artifact(store, node.outputs[key].id)]
        for name, node in nodes.items()
        for key in READ.get(name.partition("_")[0], ())
    }
    for key, one in nodes["Selector"].inputs.items():
        if key.startswith("model_") and not key.startswith("model_run_"):
            fed[input_key(MODEL, key.removeprefix("model_"))] = [_artifact(store, one.id)]
    output = RunRecord()
    output.uri = str(folder)
    data = nodes["FaceExampleGen"].parameters
    Executor().Do(
        fed,
        {"record": [output]},
        {
            "nodes": json.dumps(list(nodes)),
            "settings": settings.model_dump_json(by_alias=True),
            "run_id": "run-1",
            "data_uri": data["data_uri"],
            "data_fingerprint": data["data_fingerprint"],
            "commit": "0123456789ab-dirty",
        },
    )
    told = json.loads((folder / FILE).read_text())
    assert output.get_int_custom_property("exit_code") == told["exit_code"]
    assert output.get_int_custom_property("delivered") == int(not told["undelivered"])
    return dict(told)


def _artifact(store: MetadataStore, artifact_id: int) -> Artifact:
    (found,) = store.get_artifacts_by_id([artifact_id])
    (kind,) = store.get_artifact_types_by_id([found.type_id])
    return artifact_utils.deserialize_artifact(kind, found)
