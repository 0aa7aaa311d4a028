"""Publisher between TFX's launcher and its cache: it does again what was undone, and no more."""

import shutil
from pathlib import Path

import pytest
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.publisher.component import Publisher
from serving import versions
from tests.serving.drills import write_model

COMPLETE, CACHED = 3, 5  # ml_metadata's Execution.State


@pytest.fixture
def run(tmp_path: Path):
    """Runs Publisher behind two given blessings; answers with its state in ML Metadata."""
    model_dir = tmp_path / "serving" / "agegender"
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db"))
    write_model(tmp_path / "infra" / "stamped_model", 1)
    (tmp_path / "model_blessing").mkdir()

    def once() -> int:
        model_blessing = Importer(
            source_uri=str(tmp_path / "model_blessing"),
            artifact_type=standard_artifacts.ModelBlessing,
            custom_properties={"blessed": 1},
        ).with_id("model_blessing")
        infra_blessing = Importer(
            source_uri=str(tmp_path / "infra"),
            artifact_type=standard_artifacts.InfraBlessing,
            custom_properties={"blessed": 1, "has_model": 1},
        ).with_id("infra_blessing")
        publisher = Publisher(
            infra_blessing=infra_blessing.outputs["result"],
            model_blessing=model_blessing.outputs["result"],
            model_dir=str(model_dir),
            serving_state=versions.serving_state(model_dir),
            code_fingerprint="",
        )
        pipeline = Pipeline(
            pipeline_name="publish",
            pipeline_root=str(tmp_path / "artifacts"),
            components=[model_blessing, infra_blessing, publisher],
            metadata_connection_config=connection,
            enable_cache=True,
        )
        LocalDagRunner().run(pipeline)
        with metadata.Metadata(connection) as mlmd:
            executions = [
                execution
                for execution in mlmd.store.get_executions()
                if execution.type.endswith(".Publisher")
            ]
        return max(executions, key=lambda execution: execution.id).last_known_state

    return once


def test_what_was_undone_is_done_again_and_nothing_else(run, tmp_path: Path) -> None:
    model_dir = tmp_path / "serving" / "agegender"
    assert run() == COMPLETE
    assert versions.list_versions(model_dir) == [1]
    assert run() == COMPLETE  # looks, and finds its winner served
    assert run() == CACHED
    assert versions.list_versions(model_dir) == [1]

    shutil.rmtree(tmp_path / "serving")
    assert run() == COMPLETE
    assert versions.list_versions(model_dir) == [1]

    versions.publish(write_model(tmp_path / "older", 9), model_dir)
    assert run() == COMPLETE
    assert versions.list_versions(model_dir) == [1, 2, 3]
    shutil.rmtree(model_dir / "3")
    assert run() == COMPLETE
    assert versions.list_versions(model_dir) == [1, 2, 4]
