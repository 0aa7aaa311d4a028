"""What a pod runs: TFX's own entry point, over the folders that Kubeflow's launcher fills.

The launcher copies a node's inputs from the cluster's object store to the pod's disk before this
runs, and what it finds on the disk back to the store afterwards. Executors are given the folders,
so that they need no client of any store: TensorFlow knows no minio://, and our own read with paths.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline import quiet

# Where the launcher keeps what belongs to a URI: `LocalPathForURI` in its source.
_FOLDERS = {"minio://": "/minio/", "s3://": "/s3/", "gs://": "/gcs/"}
_INVOCATION = "--json_serialized_invocation_args"
_DECLARATION = "--json_serialized_inputs_spec_args"


def local(uri: str) -> str:
    """The folder of a URI on the pod's disk; a URI of no store is left as it is."""
    for scheme, folder in _FOLDERS.items():
        if uri.startswith(scheme):
            return folder + uri.removeprefix(scheme)
    return uri


def remote(path: str) -> str:
    """The URI that `local` made a folder of."""
    for scheme, folder in _FOLDERS.items():
        if path.startswith(folder):
            return scheme + path.removeprefix(folder)
    return path


def for_tfx(invocation: dict[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """What TFX is told to do, of what Kubeflow tells.

    Args:
      invocation: Kubeflow's, an ExecutorInput as JSON; it is changed.
      declared: the node's inputs, a ComponentInputsSpec as JSON.
    """
    inputs, outputs = invocation.get("inputs", {}), invocation.get("outputs", {})
    _replace(inputs, local)
    _replace(outputs, local)
    for key, held in inputs.get("artifacts", {}).items():
        for artifact in held.get("artifacts", []):
            # TFX makes its artifacts by type and name; Kubeflow leaves out a type, or a name.
            artifact["type"] = declared["artifacts"][key]["artifactType"]
            artifact["name"] = artifact.get("name") or artifact["uri"]
    return invocation


def main(arguments: list[str]) -> None:
    """Runs a node's executor and, with what it answered, says where its outputs are."""
    quiet.prepare_environment()
    from absl import app
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor as tfx_step

    at = arguments.index(_INVOCATION) + 1
    declared = json.loads(arguments[arguments.index(_DECLARATION) + 1])
    invocation = for_tfx(json.loads(arguments[at]), declared)
    outputs = invocation.get("outputs", {})
    arguments = [*arguments[:at], json.dumps(invocation), *arguments[at + 1 :]]

    def run(parsed: Any) -> None:
        tfx_step.main(parsed)
        answer = Path(outputs["outputFile"])
        said = json.loads(answer.read_text(encoding="utf-8"))
        _replace(said, remote)
        answer.write_text(json.dumps(said, indent=2), encoding="utf-8")

    app.run(run, argv=[sys.argv[0], *arguments], flags_parser=tfx_step._parse_flags)


def _replace(told: dict[str, Any], change: Callable[[str], str]) -> None:
    for artifact in _artifacts(told):
        if "uri" in artifact:
            artifact["uri"] = change(artifact["uri"])


def _artifacts(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for held in told.get("artifacts", {}).values():
        yield from held.get("artifacts", [])


if __name__ == "__main__":
    main(sys.argv[1:])
