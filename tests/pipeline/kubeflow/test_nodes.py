"""Every node of a package by the command that the package holds, over a folder as the store."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import yaml
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline, RunOptions

from pipeline import graph, settings
from pipeline.kubeflow import command, reading
from pipeline.kubeflow import package as compiling
from pipeline.sample import write_sample
from schema import features
from serving import versions
from tests.e2e import running, tracked
from tests.pipeline.kubeflow.launcher import ROOT, Launcher

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

DATA_HALF = tuple(running.NODES[: running.NODES.index("Transform") + 1])
TINY = (
    "candidates=[multitask]",
    "models={}",
    "image.store_size=24",
    "training.epochs=2",
    "training.patience=2",
    "training.batch_size=32",
    "training.input_size=null",
    "training.architecture={widths: [8, 16], depth: 1}",
    "tuning={enabled: true, algorithm: random, max_trials: 2, epochs: 1}",
    "report.robustness_faces=8",
    "thresholds={max_age_mae: 100, min_gender_accuracy: 0.01}",
    "selection.tolerance=100",
    "expectations.min_examples.at_least=5",
    "expectations.min_per_age_group_and_gender.at_least=0",
    "expectations.female_share_per_split={at_least: 0.1, at_most: 0.9}",
    f"kubeflow.project_dir={ROOT}",
)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> settings.Settings:
    folder = tmp_path_factory.mktemp("cluster")
    write_sample(folder / "faces", 160, 0)
    volume = folder / "volume"
    volume.mkdir()
    told = {"data.uri": str(folder / "faces"), "workdir": str(volume)}
    return settings.load("kubeflow", told, list(TINY))


@pytest.fixture(scope="module")
def run(chosen: settings.Settings, tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    """A run of the package after its data half."""
    package = next(yaml.safe_load_all(command.compile_text(chosen)))
    launcher = Launcher(package, tmp_path_factory.mktemp("store"))
    nodes = reading.nodes_of(package)
    assert set(DATA_HALF) < set(nodes)
    for node in nodes:
        if node in DATA_HALF:
            launcher.run(node)
    return launcher


def test_the_data_half_is_that_of_a_local_run(
    chosen: settings.Settings, run: Launcher, tmp_path: Path
) -> None:
    bound = dataclasses.replace(
        compiling.bindings(chosen), pipeline_root=str(tmp_path / "artifacts")
    )
    made = graph.create_pipeline(chosen, bound)
    LocalDagRunner().run(
        Pipeline(
            pipeline_name=graph.PIPELINE_NAME,
            pipeline_root=bound.pipeline_root,
            components=made.components,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(tmp_path / "metadata.db")
            ),
            beam_pipeline_args=list(chosen.beam_args),
        ),
        RunOptions(to_nodes=[DATA_HALF[-1]]),
    )
    compared = 0
    for node in DATA_HALF:
        for key in run.outputs[node]:
            (local,) = (tmp_path / "artifacts" / node / key).iterdir()
            ours = _content(run.folder(node, key))
            assert ours == _content(local), (node, key)
            compared += len(ours)
    assert compared > len(DATA_HALF)


def test_the_rest_goes_all_the_way_to_a_published_and_recorded_model(
    chosen: settings.Settings, run: Launcher
) -> None:
    for node in reading.nodes_of(run.package):
        if node not in run.outputs:
            run.run(node)
    served = versions.latest(chosen.serving_dir / features.MODEL_NAME)
    assert served
    assert (served.name, (served / "saved_model.pb").exists()) == ("1", True)
    told = json.loads((run.folder("Recorder", "record") / "record.json").read_text())
    assert (told["exit_code"], told["undelivered"]) == (0, "")
    outer, *inside = tracked.tree(Path(chosen.workdir))
    assert outer.data.tags["kubeflow.run_id"] == "run-1"
    assert outer.data.tags["served_version"] == "1"
    kinds = {one.info.run_name.partition(" ")[0] for one in inside}
    assert kinds == {"search", "trial", "train", "evaluate"}


def _content(folder: Path) -> dict[str, Any]:
    """The files of an artifact; of those with maps, which have no order, the messages."""
    return {
        path.relative_to(folder).as_posix(): _read(path)
        for path in folder.rglob("*")
        # A SavedModel is another every time it is written; what it does is in the examples.
        if path.is_file() and path.name not in ("saved_model.pb", "fingerprint.pb")
    }


def _read(path: Path) -> Any:
    if path.name == "SchemaDiff.pb":
        return anomalies_pb2.Anomalies.FromString(path.read_bytes())
    if path.name.startswith("transformed_examples"):
        records = tf.data.TFRecordDataset(str(path), compression_type="GZIP")
        return [tf.train.Example.FromString(one) for one in records.as_numpy_iterator()]
    return path.read_bytes()
