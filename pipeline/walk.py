"""Walks ML Metadata backwards: from an artifact to what made it, and to what fed that."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.record import (
    RECORD,
    Artifact,
    Execution,
    artifacts,
    node_name,
    parameters,
    value_of,
)


@dataclass(frozen=True)
class Step:
    """One execution: the node, the pipeline run it did its work in, what it was fed and made."""

    node: str
    run: str
    execution_id: int
    inputs: Mapping[str, Artifact]
    outputs: Mapping[str, Artifact]
    parameters: Mapping[str, Any]
    record: str | None

    def parameter(self, key: str) -> Any:
        """A parameter that holds JSON, read; an empty object when there is none."""
        return json.loads(self.parameters.get(key) or "null") or {}

    @property
    def code(self) -> str | None:
        """The fingerprint of its code, wherever the node keeps it; None for TFX's own nodes."""
        found = self.parameters.get("code_fingerprint")
        return found or self.parameter("custom_config").get("code_fingerprint") or self._metrics()

    def _metrics(self) -> str | None:
        """Of an Evaluator, which is told in the configuration of our metrics."""
        specs = self.parameter("eval_config").get("metrics_specs", [])
        told = [json.loads(one.get("config") or "{}") for spec in specs for one in spec["metrics"]]
        return next((one["code"] for one in told if "code" in one), None)


def maker(store: MetadataStore, artifact: Artifact) -> Step | None:
    """The execution that made an artifact; those that reused it since are passed over."""
    events = store.get_events_by_artifact_ids([artifact.id])
    ids = [event.execution_id for event in events if event.type == mlmd.Event.OUTPUT]
    found = sorted(store.get_executions_by_id(ids), key=lambda execution: execution.id)
    made = [one for one in found if one.last_known_state != mlmd.Execution.CACHED]
    return step(store, (made or found)[0]) if found else None


def step(store: MetadataStore, execution: Execution) -> Step:
    """One execution of a node."""
    record = value_of(execution.custom_properties.get(RECORD, mlmd.Value()))
    return Step(
        node=node_name(store, execution),
        run=run_of(store, execution.id),
        execution_id=execution.id,
        inputs=artifacts(store, execution.id, mlmd.Event.INPUT),
        outputs=artifacts(store, execution.id, mlmd.Event.OUTPUT),
        parameters=parameters(execution),
        record=record,
    )


def of_run(store: MetadataStore, run: str, node: str) -> Step | None:
    """The execution that did a node's work for a run, be it an earlier run's that was reused."""
    context = store.get_context_by_type_and_name("pipeline_run", run)
    executions = store.get_executions_by_context(context.id) if context else []
    for execution in executions:
        if node_name(store, execution) == node:
            found = step(store, execution)
            made = next(iter(found.outputs.values()), None)
            return (maker(store, made) if made else None) or found
    return None


def upstream(
    store: MetadataStore, starts: Iterable[Step], counts: Callable[[Step, str], bool]
) -> dict[str, Step]:
    """Every step that `starts` rest upon, and they themselves, by node.

    Args:
      store: where to look.
      starts: where to begin.
      counts: whether a step's input, by its key, is followed.
    """
    found: dict[str, Step] = {}
    waiting = list(starts)
    while waiting:
        one = waiting.pop()
        if one.node in found:
            continue
        found[one.node] = one
        fed = [artifact for key, artifact in one.inputs.items() if counts(one, key)]
        waiting += [before for artifact in fed if (before := maker(store, artifact))]
    return found


def maker_among(steps: Mapping[str, Step], artifact: Artifact) -> Step:
    """The one of these steps that made an artifact.

    Raises:
      StopIteration: when none did.
    """
    return next(
        step for step in steps.values() if artifact.id in {a.id for a in step.outputs.values()}
    )


def path_in(artifact: Artifact, name: str) -> str | None:
    """The path of a file of an artifact; None when it is not kept any more."""
    path = artifact.path / name
    return str(path) if path.exists() else None


def text_in(artifact: Artifact, name: str) -> str | None:
    """A file of an artifact; None when it is not kept any more."""
    try:
        return (artifact.path / name).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def json_in(artifact: Artifact, name: str) -> dict[str, Any] | None:
    """What a JSON file of an artifact holds; None when it is not kept any more."""
    text = text_in(artifact, name)
    return None if text is None else json.loads(text)


def run_of(store: MetadataStore, execution_id: int) -> str:
    """The pipeline run that an execution belongs to."""
    runs = [
        context.name
        for context in store.get_contexts_by_execution(execution_id)
        if store.get_context_types_by_id([context.type_id])[0].name == "pipeline_run"
    ]
    return runs[0] if runs else ""
