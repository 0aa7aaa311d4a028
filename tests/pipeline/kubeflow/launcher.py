"""What Kubeflow's driver and launcher do with a node of a package, on this machine.

The driver puts together what a node is fed (`ExecutorInput`), the launcher runs the command that
the package holds with it in the place of `{{$}}`, and takes from the answer where outputs are.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

ROOT = Path(__file__).parents[3]


@dataclass
class Launcher:
    """One run of a package.

    Attributes:
      package: its first document.
      root: of artifacts.
      parameters: what the run is told instead of the defaults.
      outputs: artifacts as JSON, by node and key.
    """

    package: Mapping[str, Any]
    root: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def folder(self, node: str, key: str) -> Path:
        """Where an output is."""
        return Path(self.outputs[node][key]["uri"])

    def run(self, node: str) -> None:
        """Runs a node whose inputs are there.

        Raises:
          AssertionError: when its command fails, with what it said.
        """
        task = self.package["root"]["dag"]["tasks"][node]
        component = self.package["components"][task["componentRef"]["name"]]
        executors = self.package["deploymentSpec"]["executors"]
        container = executors[component["executorLabel"]]["container"]
        given = self._executor_input(node, task, component)
        # Of the definition, or the real driver could not have written it.
        json_format.ParseDict(given, pipeline_spec_pb2.ExecutorInput())
        arguments = [one.replace("{{$}}", json.dumps(given)) for one in container["args"]]
        ran = subprocess.run(
            [sys.executable, *container["command"][1:], *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert ran.returncode == 0, f"{node}: {ran.stderr[-3000:]}"
        answer = json.loads(Path(given["outputs"]["outputFile"]).read_text())
        json_format.ParseDict(answer, pipeline_spec_pb2.ExecutorOutput())
        self.outputs[node] = {}
        for key, made in given["outputs"].get("artifacts", {}).items():
            (artifact,) = made["artifacts"]
            for said in answer.get("artifacts", {}).get(key, {}).get("artifacts", []):
                artifact["uri"] = said.get("uri", artifact["uri"])
                artifact["metadata"] = artifact.get("metadata", {}) | said.get("metadata", {})
            # What Kubeflow's driver makes of it for the next node: the type is lost on the way.
            artifact["type"] = {"instanceSchema": ""}
            artifact.pop("name")
            self.outputs[node][key] = artifact

    def _executor_input(
        self, node: str, task: Mapping[str, Any], component: Mapping[str, Any]
    ) -> dict[str, Any]:
        inputs = task.get("inputs", {})
        folder = self.root / "agegender" / "run-1" / node
        folder.mkdir(parents=True)
        return {
            "inputs": {
                "artifacts": {
                    key: {"artifacts": [self._produced(one["taskOutputArtifact"])]}
                    for key, one in inputs.get("artifacts", {}).items()
                },
                "parameterValues": {
                    key: self._value(one) for key, one in inputs.get("parameters", {}).items()
                },
            },
            "outputs": {
                "artifacts": {
                    key: {
                        "artifacts": [
                            {
                                "name": f"{node}-{key}",
                                "type": told["artifactType"],
                                "uri": str(folder / key),
                                "metadata": told.get("metadata", {}),
                            }
                        ]
                    }
                    for key, told in component["outputDefinitions"]["artifacts"].items()
                },
                "outputFile": str(folder / "output_metadata.json"),
            },
        }

    def _produced(self, told: Mapping[str, str]) -> Any:
        return self.outputs[told["producerTask"]][told["outputArtifactKey"]]

    def _value(self, told: Mapping[str, Any]) -> Any:
        if "runtimeValue" in told:
            value = told["runtimeValue"]["constant"]
            return "run-1" if value == "{{$.pipeline_job_uuid}}" else value
        name = told["componentInputParameter"]
        known = self.package["root"]["inputDefinitions"]["parameters"]
        return self.parameters.get(name, known[name]["defaultValue"])
