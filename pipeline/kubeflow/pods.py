"""What a pod is given: cores, memory, GPUs, the volume, secrets, and the nodes it may run on."""

from collections.abc import Iterable
from typing import Any

from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig

from pipeline.kubeflow.choices import Kubeflow, Resources
from pipeline.kubeflow.run_record import RUN_ID_VARIABLE
from pipeline.settings import Settings

_RUN_ID_LABEL = "metadata.labels['pipeline/runid']"  # that Kubeflow puts on its pods
_TRAINING = ("Tuner", "Trainer")


def chosen(kubeflow: Kubeflow, node: str) -> Resources:
    """What the pod of a node may use."""
    return kubeflow.training if node.partition("_")[0] in _TRAINING else kubeflow.others


def resources(
    kubeflow: Kubeflow, node: str
) -> PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec:
    """The same as TFX's platform config."""
    wanted = chosen(kubeflow, node)
    spec = PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec(
        cpu_limit=wanted.cpus, memory_limit=wanted.memory
    )
    if wanted.gpus:
        spec.accelerator.type = wanted.gpu_type
        spec.accelerator.count = wanted.gpus
    return spec


def platform(settings: Settings, executors: Iterable[str]) -> dict[str, Any]:
    """The package's second document, as kubernetes_executor_config.proto of Kubeflow defines it.

    Args:
      settings: of the run.
      executors: the labels of the nodes' executors.
    """
    configs = {
        label: _config(settings, label.removesuffix("_executor")) for label in sorted(executors)
    }
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": configs}}}}


def _config(settings: Settings, node: str) -> dict[str, Any]:
    kubeflow = settings.kubeflow
    wanted = chosen(kubeflow, node)
    config: dict[str, Any] = {
        "pvcMount": [
            {
                "constant": kubeflow.volume,  # before Kubeflow Pipelines 2.5
                "pvcNameParameter": _constant(kubeflow.volume),
                "mountPath": settings.workdir,
            }
        ],
        "fieldPathAsEnv": [{"name": RUN_ID_VARIABLE, "fieldPath": _RUN_ID_LABEL}],
    }
    if kubeflow.secrets:
        config["secretAsEnv"] = [
            {
                "secretName": name,
                "secretNameParameter": _constant(name),
                "keyToEnv": [{"secretKey": key, "envVar": key} for key in keys],
            }
            for name, keys in sorted(kubeflow.secrets.items())
        ]
    if wanted.node_selector:
        config["nodeSelector"] = {"labels": wanted.node_selector}
    if wanted.gpus:
        # Nodes with GPUs are as a rule tainted so that nothing else runs on them.
        toleration = {"key": wanted.gpu_type, "operator": "Exists", "effect": "NoSchedule"}
        config["tolerations"] = [toleration]
    return config


def _constant(value: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}
