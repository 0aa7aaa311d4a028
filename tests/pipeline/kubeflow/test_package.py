import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.utils import name_utils

from pipeline import graph
from pipeline.errors import UserError
from pipeline.kubeflow import command, reading
from pipeline.kubeflow import package as compiling
from pipeline.settings import Settings, load
from tests.pipeline.kubeflow.conftest import CHOSEN

COMMAND = ["python", "-m", "pipeline.kubeflow.step"]


@pytest.fixture(scope="module")
def local(chosen: Settings) -> dict[str, Any]:
    """The nodes of the graph that is compiled, as TFX has them."""
    made = graph.create_pipeline(chosen, compiling.bindings(chosen))
    return {node.id: node for node in made.components}


def tasks(package: dict[str, Any]) -> dict[str, Any]:
    return dict(package["root"]["dag"]["tasks"])


def container(package: dict[str, Any], node: str) -> dict[str, Any]:
    executors = package["deploymentSpec"]["executors"]
    return dict(executors[package["components"][node]["executorLabel"]]["container"])


def told(package: dict[str, Any], node: str, name: str) -> Any:
    return tasks(package)[node]["inputs"]["parameters"][name]


def test_kubeflows_own_loader_takes_it(text: str, package: dict[str, Any]) -> None:
    loaded = components.load_component_from_text(text)
    assert loaded.name == "agegender"
    assert set(loaded.component_spec.inputs or ()) == set(compiling.PARAMETERS)
    assert package["schemaVersion"] == "2.1.0"
    assert package["defaultPipelineRoot"] == "s3://bucket/agegender"


def test_it_is_the_same_graph(package: dict[str, Any], local: dict[str, Any]) -> None:
    assert tasks(package).keys() == local.keys()
    plain = graph.create_pipeline(load("gpu", {}, list(CHOSEN)), _without_recorder())
    assert {node.id for node in plain.components} == local.keys() - {"Recorder"}
    for name, task in tasks(package).items():
        wired = {
            key: (
                one["taskOutputArtifact"]["producerTask"],
                one["taskOutputArtifact"]["outputArtifactKey"],
            )
            for key, one in task.get("inputs", {}).get("artifacts", {}).items()
        }
        assert wired == {
            key: (channel.producer_component_id, channel.output_key)
            for key, channel in local[name].inputs.items()
        }
        for producer, output in wired.values():
            assert output in package["components"][producer]["outputDefinitions"]["artifacts"]
        before = {node.id for node in local[name].upstream_nodes}
        assert set(task.get("dependentTasks", [])) == before


def test_every_node_runs_its_executor_in_a_container(
    package: dict[str, Any], local: dict[str, Any]
) -> None:
    for name, node in local.items():
        ran = container(package, name)
        assert ran["command"] == COMMAND
        assert ran["image"] == "agegender:latest"
        executor = name_utils.get_full_name(node.executor_spec.executor_class)
        if name in ("SplitValidator", "DriftValidator"):
            executor = "pipeline.kubeflow.executors.DistributionValidator"
        module, _, class_name = executor.rpartition(".")
        assert issubclass(
            getattr(importlib.import_module(module), class_name), node.executor_spec.executor_class
        )
        assert ran["args"][:4] == [
            *("--executor_class_path", executor),
            *("--json_serialized_invocation_args", "{{$}}"),
        ]
        inputs = pipeline_spec_pb2.ComponentInputsSpec()
        json_format.Parse(ran["args"][5], inputs)
        assert set(inputs.artifacts) == set(node.inputs)


def test_the_types_of_artifacts_can_be_found_again(package: dict[str, Any]) -> None:
    for schema in _schemas(package):
        title = yaml.safe_load(schema)["title"]
        path = compiler_utils.TITLE_TO_CLASS_PATH.get(title, title)
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type)


def test_only_what_trains_asks_for_gpus(package: dict[str, Any]) -> None:
    for name in tasks(package):
        asked = container(package, name)["resources"]
        if name.startswith(("Tuner_", "Trainer_")):
            assert asked == {
                "cpuLimit": 8.0,
                "memoryLimit": 32.0,
                "accelerator": {"type": "nvidia.com/gpu", "count": "1"},
            }
        else:
            assert asked == {"cpuLimit": 4.0, "memoryLimit": 8.0}
    assert any(name.startswith("Tuner_") for name in tasks(package))


def test_every_pod_has_the_volume_and_the_secret(text: str, package: dict[str, Any]) -> None:
    platform = list(yaml.safe_load_all(text))[1]
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert pods.keys() == package["deploymentSpec"]["executors"].keys()
    for label, pod in pods.items():
        (mount,) = pod["pvcMount"]
        assert mount["pvcNameParameter"]["runtimeValue"]["constant"] == "agegender"
        assert mount["mountPath"] == "/mnt/agegender"
        (secret,) = pod["secretAsEnv"]
        assert [one["envVar"] for one in secret["keyToEnv"]] == [
            *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
        ]
        trains = label.startswith(("Tuner_", "Trainer_"))
        assert ("tolerations" in pod, pod.get("nodeSelector")) == (
            (True, {"labels": {"pool": "gpu"}}) if trains else (False, None)
        )


def test_what_looks_at_the_world_is_never_reused(package: dict[str, Any]) -> None:
    reused = {
        n for n, t in tasks(package).items() if t.get("cachingOptions", {}).get("enableCache")
    }
    assert tasks(package).keys() - reused == {"Champion", "Publisher", "Recorder"}


def test_photographs_that_nobody_can_see_from_here_are_read_in_every_run(tmp_path: Path) -> None:
    plain = [one for one in CHOSEN if not one.startswith("kubeflow.data_fingerprint")]
    found = {}
    for folder in (tmp_path, tmp_path / "not-there"):
        settings = load("kubeflow", {"data.uri": str(folder)}, plain)
        (tmp_path / "20_0_0_20170110.jpg").write_bytes(b"not read")
        spec, _ = compiling.compiled(settings, compiling.bindings(settings))
        default = spec["root"]["inputDefinitions"]["parameters"]["data_fingerprint"]
        found[folder.name] = (
            "cachingOptions" in tasks(spec)["FaceExampleGen"],
            bool(default["defaultValue"]),
        )
    assert found == {tmp_path.name: (True, True), "not-there": (False, False)}


def test_parameters_reach_the_nodes_that_take_them(package: dict[str, Any]) -> None:
    taken = {
        name: {
            node
            for node, task in tasks(package).items()
            for parameter in task.get("inputs", {}).get("parameters", {}).values()
            if parameter.get("componentInputParameter") == name
        }
        for name in compiling.PARAMETERS
    }
    assert taken == {
        "data_fingerprint": {"FaceExampleGen", "DataGate", "Recorder"},
        "baseline_uri": {"Baseline"},
        "accept_reason": {"DataGate"},
        "accepted_by": {"DataGate"},
    }
    defaults = {name: one["defaultValue"] for name, one in reading.parameters_of(package).items()}
    assert defaults == {
        "data_fingerprint": "v1", "baseline_uri": "", "accept_reason": "", "accepted_by": "",
    }  # fmt: skip


def test_paths_are_those_of_pods(package: dict[str, Any]) -> None:
    assert told(package, "Champion", "model_dir")["runtimeValue"]["constant"] == (
        "/mnt/agegender/serving/agegender"
    )
    assert told(package, "ImportSchemaGen", "schema_file")["runtimeValue"]["constant"] == (
        "/app/schema/schema.pbtxt"
    )
    assert '"/mnt/agegender/tuning"' in str(told(package, "Tuner_multitask_cnn", "custom_config"))
    assert told(package, "Recorder", "run_id")["runtimeValue"]["constant"] == (
        "{{$.pipeline_job_uuid}}"
    )


def test_it_is_the_same_to_the_byte_in_another_process(text: str, tmp_path: Path) -> None:
    out = tmp_path / "again.yaml"
    changes = [part for one in CHOSEN for part in ("--set", one)]
    told = subprocess.run(
        [*(sys.executable, "-m", "pipeline", "kubeflow", "compile", "--out", str(out)), *changes],
        env=os.environ | {"PYTHONHASHSEED": "1", "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert out.read_text() == text
    lines = told.stdout.splitlines()
    assert lines[0].startswith(f"Compiled {len(tasks(yaml.safe_load_all(text).__next__()))} nodes")
    assert len(lines) == 1 + len(compiling.PARAMETERS)  # nothing else is to be known of it


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("data.uri=null", "faces are not drawn"),
        ("data.uri=faces", "setting data.uri: faces is where pods find it"),
        ("workdir=work", "setting workdir: work is where pods find it"),
        ("tracking.uri=http://me:pass1234@mlflow:5000", "must hold no password"),
        ("candidates=[transfer_vggface]", "has no ImageNet weights"),
        ("kubeflow.pipeline_root=/artifacts", "is no minio://, s3:// or gs://"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_compiled(asked: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        command.check(load("kubeflow", {}, [asked]))
    assert refused.value.exit_code == 2
    assert "pass1234" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no package"),
        ("- 1", "is no package"),
        ("{a: [", "is no package"),
        ("pipelineInfo: {name: x}\nnodes: 3", "is no package"),
        ("pipelineInfo: {name: x}\nschemaVersion: 2.0.0", "has schema 2.0.0"),
    ],
)
def test_what_is_no_package_is_one_line(content: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        reading.parsed(content, "some.yaml")
    assert "\n" not in str(refused.value)


def _schemas(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        for key, value in told.items():
            if key == "instanceSchema":
                yield value
            else:
                yield from _schemas(value)


def _without_recorder() -> Any:
    chosen = load("kubeflow", {}, [*CHOSEN, "tracking.enabled=false"])
    return compiling.bindings(chosen)
