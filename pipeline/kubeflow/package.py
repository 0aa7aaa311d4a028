"""Compiles the graph to a package of Kubeflow Pipelines: schema 2.1.0, as YAML.

What TFX's compiler leaves out is added here: parameters' defaults, the pipeline's root, which nodes
are never reused, and what Kubernetes is asked for.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as runner
from tfx.orchestration.pipeline import Pipeline

from components.face_example_gen import label_file
from pipeline import fingerprints, graph, node_code, tuning, validation
from pipeline.bindings import Bindings
from pipeline.kubeflow import pods
from pipeline.local import SCHEMA
from pipeline.settings import Settings
from schema import features
from trainer import weights

COMMAND = ("python", "-m", "pipeline.kubeflow.step")
_EXECUTORS: Mapping[str, str] = {
    "tfx.components.distribution_validator.executor.Executor": (
        "pipeline.kubeflow.executors.DistributionValidator"
    ),
}

# What a run may be told that is not compiled in. TFX keeps other parameters inside JSON, where
# Kubeflow cannot put a value.
PARAMETERS: Mapping[str, str] = {
    "data_fingerprint": "another value reads the photographs again",
    "baseline_uri": "statistics that the data are compared with for drift",
    "accept_reason": "why the data are accepted, whatever the gate says",
    "accepted_by": "who says so",
}
# They look at what lies outside the run, or change it.
_NEVER_REUSED = frozenset({"Champion", "Publisher", "Recorder"})
_RUN_ID = "{{$.pipeline_job_uuid}}"  # what Kubeflow replaces by the run's id


def bindings(settings: Settings, accept_reason: str = "", accepted_by: str = "") -> Bindings:
    """The graph's bindings to a cluster, whose pods have the volume at `settings.workdir`.

    Args:
      settings: what to run.
      accept_reason: why the data are accepted whatever the verdict on them; "" when they are not.
      accepted_by: who says so.
    """
    workdir = PurePosixPath(settings.workdir)
    schema = PurePosixPath(settings.kubeflow.project_dir, *SCHEMA.parts[-2:])
    return Bindings(
        pipeline_root=settings.kubeflow.pipeline_root or "",
        data_uri=settings.data.uri or "",
        data_fingerprint=_data_fingerprint(settings),
        labels_uri=settings.data.labels or "",
        schema_file=str(schema),
        comparators=validation.comparators(SCHEMA),
        baseline_uri="",
        model_dir=str(settings.serving_dir / features.MODEL_NAME),
        serving_state="",  # nodes that look at it are never reused
        code={node: fingerprints.of_code(modules) for node, modules in node_code.CODE.items()},
        weights={
            model: weights.fingerprint(model, settings.hyperparameters(model))
            for model in settings.trained_models
            if Path(settings.hyperparameters(model).transfer.weights).expanduser().is_file()
        },
        tuning_dir=str(workdir / tuning.FOLDER),
        accept_reason=accept_reason,
        accepted_by=accepted_by,
        commit=fingerprints.of_checkout(),
        run_id=_RUN_ID if settings.tracking.enabled else "",
    )


def compiled(settings: Settings, bound: Bindings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The package: what Kubeflow Pipelines runs, and what Kubernetes is asked for.

    Raises:
      Exception: TFX's, for a graph that Kubeflow cannot run.
    """
    pipeline = graph.create_pipeline(settings, bound)
    defaults = _open_parameters(pipeline.components)
    for node in pipeline.components:
        node.with_platform_config(pods.resources(settings.kubeflow, node.id))
    spec = _compile(pipeline, settings.kubeflow.image)
    tasks = spec["root"]["dag"]["tasks"]
    uncertain = set() if bound.data_fingerprint else {"FaceExampleGen"}
    for name in _NEVER_REUSED | uncertain:
        tasks.get(name, {}).pop("cachingOptions", None)
    taken = spec["root"]["inputDefinitions"]["parameters"]
    for name, value in defaults.items():
        taken[name] |= {"defaultValue": value, "isOptional": True, "description": PARAMETERS[name]}
    if root := settings.kubeflow.pipeline_root:
        spec["defaultPipelineRoot"] = root
    executors = spec["deploymentSpec"]["executors"]
    for executor in executors.values():
        arguments = executor["container"]["args"]
        arguments[:] = [_EXECUTORS.get(one, one) for one in arguments]
    # Kubeflow's cache knows the path alone, and the image's name may be used again.
    schema = fingerprints.of_bytes(SCHEMA.read_bytes())
    executors["ImportSchemaGen_executor"]["container"]["args"].append(f"--schema={schema}")
    return spec, pods.platform(settings, executors)


def as_yaml(spec: Mapping[str, Any], platform: Mapping[str, Any]) -> str:
    """A package as text; the same for the same package."""
    head = f"# {graph.PIPELINE_NAME}, compiled by `agegender kubeflow compile`\n"
    return head + yaml.safe_dump_all([dict(spec), dict(platform)], sort_keys=True, width=100)


def _data_fingerprint(settings: Settings) -> str:
    """Of the photographs; "" where they cannot be seen from here, and nobody told."""
    if settings.kubeflow.data_fingerprint is not None:
        return settings.kubeflow.data_fingerprint
    uri, labels = settings.data.uri or "", settings.data.labels or ""
    seen = all(Path(one).exists() for one in (uri, labels) if one)
    return label_file.data_fingerprint(uri, labels) if uri and seen else ""


def _open_parameters(nodes: Iterable[BaseNode]) -> dict[str, str]:
    """Lets the run tell what PARAMETERS names; returns what holds where it does not."""
    defaults: dict[str, str] = {}
    for node in nodes:
        told = node.exec_properties
        for name in PARAMETERS.keys() & told.keys():
            defaults[name] = told[name]
            told[name] = RuntimeParameter(name=name, ptype=str, default=told[name])
    return defaults


def _compile(pipeline: Pipeline, image: str) -> dict[str, Any]:
    config = runner.KubeflowV2DagRunnerConfig(
        default_image=image, default_commands=list(COMMAND), use_pipeline_spec_2_1=True
    )
    job = runner.KubeflowV2DagRunner(config).run(pipeline, write_out=False)
    return dict(job["pipelineSpec"])
