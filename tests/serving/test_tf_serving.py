"""What TF Serving and Kubernetes are told, read by their own types."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from kubernetes import client  # type: ignore[import-untyped]
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from schema import features

FOLDER = Path(__file__).parents[2] / "serving" / "tf_serving"
CONFIGS = ("models.config", "batching.config", "monitoring.config")
# Of tensorflow_model_server 2.19, those used here.
FLAGS = {
    *("port", "rest_api_port", "model_config_file", "model_config_file_poll_wait_seconds"),
    *("allow_version_labels_for_unavailable_models", "file_system_poll_wait_seconds"),
    *("enable_batching", "batching_parameters_file", "monitoring_config_file"),
    "enable_model_warmup",
}
MANIFESTS = {
    "claim.yaml": "V1PersistentVolumeClaim",
    "deployment.yaml": "V1Deployment",
    "service.yaml": "V1Service",
}


def message(name: str, **fields: tuple[int, str]) -> Any:
    """A message type of tensorflow.serving that the package of its protos leaves out.

    Field numbers and types are those of session_bundle_config.proto and monitoring_config.proto.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto", package="tensorflow.serving", syntax="proto3"
    )
    file.dependency.append("google/protobuf/wrappers.proto")
    described = file.message_type.add(name=name)
    for field, (number, kind) in fields.items():
        one = described.field.add(name=field, number=number, label=1)
        if kind.startswith("."):
            one.type, one.type_name = 11, kind
        else:
            one.type = {"bool": 8, "string": 9}[kind]
    POOL.Add(file)
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"tensorflow.serving.{name}"))


POOL = descriptor_pool.DescriptorPool()
_wrappers = descriptor_pb2.FileDescriptorProto()
wrappers_pb2.DESCRIPTOR.CopyToProto(_wrappers)
POOL.Add(_wrappers)


def text(name: str) -> str:
    return (FOLDER / name).read_text()


def loaded(name: str) -> Any:
    return yaml.safe_load(text(name))


def deployed() -> Any:
    return loaded("kubernetes/deployment.yaml")["spec"]["template"]["spec"]


def test_the_models_config_serves_the_two_newest_by_label() -> None:
    config = text_format.Parse(text("models.config"), ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == (features.MODEL_NAME, "/models/agegender")
    assert model.model_version_policy.latest.num_versions == 2
    assert set(model.version_labels) == {"stable", "canary"}


def test_batching_and_monitoring_are_what_tf_serving_reads() -> None:
    whole = ".google.protobuf.Int64Value"
    batching = message(
        "BatchingParameters",
        max_batch_size=(1, whole),
        batch_timeout_micros=(2, whole),
        max_enqueued_batches=(3, whole),
        num_batch_threads=(4, whole),
    )
    found = text_format.Parse(text("batching.config"), batching())
    assert found.max_batch_size.value == 64
    assert found.num_batch_threads.value >= 1
    prometheus = message("PrometheusConfig", enable=(1, "bool"), path=(2, "string"))
    assert prometheus.DESCRIPTOR.full_name == "tensorflow.serving.PrometheusConfig"
    file = descriptor_pb2.FileDescriptorProto(
        name="MonitoringConfig.proto", package="tensorflow.serving", syntax="proto3"
    )
    file.dependency.append("PrometheusConfig.proto")
    field = file.message_type.add(name="MonitoringConfig").field.add(
        name="prometheus_config", number=1, label=1, type=11
    )
    field.type_name = ".tensorflow.serving.PrometheusConfig"
    POOL.Add(file)
    described = POOL.FindMessageTypeByName("tensorflow.serving.MonitoringConfig")
    monitoring = text_format.Parse(
        text("monitoring.config"), message_factory.GetMessageClass(described)()
    )
    assert monitoring.prometheus_config.enable  # type: ignore[attr-defined]
    path = monitoring.prometheus_config.path  # type: ignore[attr-defined]
    annotations = loaded("kubernetes/deployment.yaml")["spec"]["template"]["metadata"][
        "annotations"
    ]
    assert path == annotations["prometheus.io/path"] == "/monitoring/prometheus/metrics"


@pytest.mark.parametrize(("name", "kind"), MANIFESTS.items())
def test_manifests_are_what_kubernetes_reads(name: str, kind: str) -> None:
    written = loaded(f"kubernetes/{name}")
    api = client.ApiClient()
    read = api.deserialize(SimpleNamespace(data=json.dumps(written)), kind)
    # What its types do not know they drop: nothing may be lost.
    assert api.sanitize_for_serialization(read) == written


def test_the_deployment_fits_the_rest() -> None:
    pod = deployed()
    (container,) = pod["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    service = loaded("kubernetes/service.yaml")["spec"]
    assert {one["targetPort"]: one["port"] for one in service["ports"]} == ports
    spec = loaded("kubernetes/deployment.yaml")["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert service["selector"] == spec["selector"]["matchLabels"] == labels
    volumes = {one["name"]: one for one in pod["volumes"]}
    claim = loaded("kubernetes/claim.yaml")["metadata"]["name"]
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == claim
    kustomization = loaded("kustomization.yaml")
    (made,) = kustomization["configMapGenerator"]
    assert volumes["config"]["configMap"]["name"] == made["name"]
    assert tuple(made["files"]) == CONFIGS
    assert set(kustomization["resources"]) == {f"kubernetes/{name}" for name in MANIFESTS}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        action = container[probe].get("tcpSocket") or container[probe]["httpGet"]
        assert action["port"] in ports


def test_compose_and_kubernetes_start_it_alike() -> None:
    (service,) = loaded("compose.yaml")["services"].values()
    (container,) = deployed()["containers"]
    assert service["image"] == container["image"]
    assert [*service["entrypoint"], *service["command"]] == [
        *container["command"],
        *container["args"],
    ]
    assert {one.removeprefix("--").partition("=")[0] for one in service["command"]} == FLAGS
    # Only this machine can reach it, and nothing it mounts can be changed.
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    for name in CONFIGS:
        assert f"./{name}:/config/{name}:ro" in service["volumes"]
