"""What a package says of itself; free of TFX."""

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.errors import UserError
from pipeline.settings import Settings


def parsed(text: str, name: str) -> dict[str, Any]:
    """A package's first document.

    Raises:
      UserError: when it is none that Kubeflow Pipelines can run.
    """
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        documents = list(yaml.safe_load_all(text))
        json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
        version = documents[0]["schemaVersion"]
    except (yaml.YAMLError, json_format.ParseError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{name} is no package of Kubeflow Pipelines: {reason}") from error
    if version != "2.1.0":
        raise UserError(f"{name} has schema {version}, and Kubeflow Pipelines runs 2.1.0 alone")
    return dict(documents[0])


def nodes_of(package: Mapping[str, Any]) -> list[str]:
    """The nodes, each after those that it waits for."""
    tasks = package["root"]["dag"]["tasks"]
    ordered: list[str] = []

    def add(name: str) -> None:
        for before in tasks[name].get("dependentTasks", []):
            add(before)
        if name not in ordered:
            ordered.append(name)

    for name in tasks:
        add(name)
    return ordered


def parameters_of(package: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a run may be told."""
    return dict(package["root"].get("inputDefinitions", {}).get("parameters", {}))


def settings_of(package: Mapping[str, Any], name: str) -> Settings | None:
    """The settings that were compiled in, from the node that records them; None without one.

    Raises:
      UserError: when they are those of another version of this program.
    """
    recorder = package["root"]["dag"]["tasks"].get("Recorder")
    if recorder is None:
        return None
    try:
        return Settings.model_validate_json(
            recorder["inputs"]["parameters"]["settings"]["runtimeValue"]["constant"]
        )
    except (ValidationError, LookupError) as error:
        raise UserError(f"{name} was compiled by another version: compile it again") from error
