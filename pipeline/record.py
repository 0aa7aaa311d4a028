"""What a run did, read from ML Metadata: states, artifacts, reuse, and why a node ran."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

Execution = Any  # mlmd.Execution, which mypy cannot see

NAMED = 2  # reasons named in full

# Of an execution: what leads from it to its run in MLflow. The underscores keep it out of what
# `parameters` compares.
RECORD = "__agegender_record__"

# What a changed parameter means, where its name does not say it.
_PLAIN = {
    "code_fingerprint": "its code changed",
    "data_fingerprint": "the data changed",
    "data_uri": "other data",
    "schema_file": "the schema changed",
    "baseline_uri": "other data passed the gate since",
    "accept_reason": "a person accepted the data",
    "default_slice_config": "other limits of divergence",
    "serving_state": "another version is served",
    "commit": "another commit",
}


@dataclass(frozen=True)
class Artifact:
    """One artifact a node was fed or answered with."""

    id: int
    uri: str
    properties: Mapping[str, Any]  # its custom properties

    @property
    def path(self) -> Path:
        """Its folder."""
        return Path(self.uri)


@dataclass(frozen=True)
class NodeRun:
    """One node of one run."""

    execution_id: int
    state: str  # COMPLETE, CACHED, FAILED, RUNNING, ...
    seconds: float  # nan where nobody knows
    outputs: Mapping[str, Artifact]
    inputs: Mapping[str, Artifact]
    parameters: Mapping[str, Any]
    reason: str  # why it ran instead of being reused; "" when it was reused

    @property
    def succeeded(self) -> bool:
        """Whether its outputs can be used."""
        return self.state in ("COMPLETE", "CACHED")


def open_store(database: Path) -> MetadataStore:
    """The store in an sqlite file, made if missing."""
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return MetadataStore(config)


def last_run(store: MetadataStore) -> str | None:
    """The id of the newest pipeline run, or None."""
    runs = store.get_contexts_by_type("pipeline_run")
    return max(runs, key=lambda run: run.id).name if runs else None


def nodes(store: MetadataStore, run: str) -> dict[str, NodeRun]:
    """Every node of a run that was started, by its id, in the order they were."""
    context = store.get_context_by_type_and_name("pipeline_run", run)
    if context is None:
        return {}
    executions = sorted(store.get_executions_by_context(context.id), key=lambda e: e.id)
    return {node_name(store, e): node_run(store, e) for e in executions}


def node(store: MetadataStore, node_id: str) -> NodeRun | None:
    """The newest execution of a node, or None."""
    executions = _executions_of(store, node_id)
    return node_run(store, executions[-1]) if executions else None


def runs_of(store: MetadataStore, node_id: str) -> list[NodeRun]:
    """Every execution of a node, newest first."""
    return [node_run(store, execution) for execution in reversed(_executions_of(store, node_id))]


def node_run(store: MetadataStore, execution: Execution) -> NodeRun:
    """One execution in our words."""
    state = mlmd.Execution.State.Name(execution.last_known_state)
    milliseconds = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return NodeRun(
        execution_id=execution.id,
        state=state,
        seconds=milliseconds / 1000,
        outputs=artifacts(store, execution.id, mlmd.Event.OUTPUT),
        inputs=artifacts(store, execution.id, mlmd.Event.INPUT),
        parameters=parameters(execution),
        reason="" if state == "CACHED" else _why(store, execution),
    )


def mark(store: MetadataStore, execution_id: int, record: str) -> None:
    """Says on an execution which record in MLflow is about it."""
    (execution,) = store.get_executions_by_id([execution_id])
    execution.custom_properties[RECORD].string_value = record
    store.put_executions([execution])


def marked_maker(store: MetadataStore, run: NodeRun) -> str | None:
    """The record of the execution that made a node's outputs, where it has one."""
    ids = [artifact.id for artifact in run.outputs.values()]
    events = store.get_events_by_artifact_ids(ids) if ids else []
    makers = {event.execution_id for event in events if event.type == mlmd.Event.OUTPUT}
    for execution in store.get_executions_by_id(sorted(makers)):
        if RECORD in execution.custom_properties:
            return str(execution.custom_properties[RECORD].string_value)
    return None


def _executions_of(store: MetadataStore, node_id: str) -> list[Execution]:
    """All executions of a node, oldest first."""
    contexts = [c for c in store.get_contexts_by_type("node") if c.name.endswith(f".{node_id}")]
    found = {e.id: e for c in contexts for e in store.get_executions_by_context(c.id)}
    return [found[i] for i in sorted(found)]


def node_name(store: MetadataStore, execution: Execution) -> str:
    """The id of the node that an execution belongs to."""
    names = {
        context.name
        for context in store.get_contexts_by_execution(execution.id)
        if store.get_context_types_by_id([context.type_id])[0].name == "node"
    }
    return names.pop().partition(".")[2]


def artifacts(store: MetadataStore, execution_id: int, event_type: int) -> dict[str, Artifact]:
    """What an execution was fed (mlmd.Event.INPUT) or made (mlmd.Event.OUTPUT), by its key."""
    events = store.get_events_by_execution_ids([execution_id])
    wanted = [event for event in events if event.type == event_type]
    ids = {event.path.steps[0].key: event.artifact_id for event in wanted}
    found = {artifact.id: artifact for artifact in store.get_artifacts_by_id(list(ids.values()))}
    return {
        key: Artifact(
            found[i].id,
            found[i].uri,
            {name: value_of(v) for name, v in found[i].custom_properties.items()},
        )
        for key, i in ids.items()
    }


def parameters(execution: Execution) -> dict[str, Any]:
    """What an execution was told."""
    return {
        name: value_of(value)
        for name, value in execution.custom_properties.items()
        if not name.startswith("__")
    }


def value_of(value: mlmd.Value) -> Any:
    """The plain value in one of ML Metadata's."""
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def _why(store: MetadataStore, execution: Execution) -> str:
    """What differs from the node's last success, in a few words."""
    earlier = [
        e
        for e in _executions_of(store, node_name(store, execution))
        if e.id < execution.id
        and e.last_known_state in (mlmd.Execution.State.COMPLETE, mlmd.Execution.State.CACHED)
    ]
    if not earlier:
        return "first time"
    before, after = earlier[-1], execution
    now, then = (artifacts(store, e.id, mlmd.Event.INPUT) for e in (after, before))
    fed = {(name, fed.id) for name, fed in now.items()} ^ {(n, fed.id) for n, fed in then.items()}
    changed = [f"new {name.replace('_', ' ')}" for name, _ in sorted(fed)]
    changed += [_PLAIN.get(key, f"{key} changed") for key in _changed_parameters(before, after)]
    named = list(dict.fromkeys(changed))
    more = [f"{len(named) - NAMED} more"] if len(named) > NAMED else []
    return ", ".join(named[:NAMED] + more) or "its earlier output is gone"


def _changed_parameters(before: Execution, after: Execution) -> list[str]:
    """The names of parameters that differ; JSON ones are looked into."""
    old, new = parameters(before), parameters(after)
    names: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            names += _changed_members(key, old.get(key), new.get(key))
    return names


def _changed_members(key: str, old: Any, new: Any) -> list[str]:
    try:
        was, now = json.loads(old), json.loads(new)
    except (TypeError, ValueError):
        return [key]
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return [key]
    return [name for name in sorted(was | now) if was.get(name) != now.get(name)]
