"""How a run on Kubeflow ended: exit code, sentence, and a record of what failed."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import EXIT_DATA_GATE, EXIT_ERROR, EXIT_PUBLISHED
from pipeline.kubeflow import run_record
from pipeline.outcome import INTERRUPTED, Outcome
from pipeline.settings import Settings
from pipeline.tracking.place import Place

if TYPE_CHECKING:
    from kfp_server_api import V2beta1PipelineTaskDetail, V2beta1Run

SUCCEEDED, FAILED, CANCELED = "SUCCEEDED", "FAILED", "CANCELED"
ENDED = (SUCCEEDED, FAILED, CANCELED, "SKIPPED")
_GATE = "DataGate"
_STATES = {EXIT_DATA_GATE: "data gate", EXIT_ERROR: "failed"}


def tasks_of(run: "V2beta1Run", nodes: Iterable[str]) -> dict[str, "V2beta1PipelineTaskDetail"]:
    """The graph's nodes among a run's tasks; the others are Kubeflow's own."""
    details = (run.run_details and run.run_details.task_details) or []
    # Some versions call a task as Kubernetes would have it.
    wanted = {_plain(name): name for name in nodes}
    return {
        wanted[_plain(one.display_name)]: one
        for one in details
        if _plain(one.display_name) in wanted
    }


def failed_node(tasks: Mapping[str, Any]) -> str | None:
    """The first that failed, or None."""
    failed = [name for name, task in tasks.items() if task.state == FAILED]
    return min(failed, key=lambda name: _end(tasks[name]), default=None)


def of_failed(run: "V2beta1Run", nodes: Iterable[str]) -> Outcome:
    """Judges a run that did not succeed by what Kubeflow says of its tasks."""
    if run.state == CANCELED:
        return Outcome(EXIT_ERROR, INTERRUPTED)
    tasks = tasks_of(run, nodes)
    name = failed_node(tasks)
    why = _reason(tasks[name] if name else run)
    if name == _GATE:
        # Kubeflow says no more than that the task failed: its log tells a verdict from a mishap.
        return Outcome(EXIT_DATA_GATE, f"stopped by the data gate, nothing was trained{why}")
    return Outcome(EXIT_ERROR, f"stopped: {name or 'the run'} failed{why}")


def of_record(place: Place, run_id: str) -> Outcome | None:
    """What the node that records it wrote of a run that came to its end; None if it cannot be had.

    Whether a model was published, Kubeflow itself does not tell.
    """
    from mlflow.tracking import MlflowClient

    from pipeline.tracking import delivery

    try:
        client = MlflowClient(place.uri, place.uri)
        experiment = client.get_experiment_by_name(place.experiment)
        if experiment is None:
            return None
        found = delivery.find(client, experiment.experiment_id, run_record.name(run_id))
        tags = client.get_run(found).data.tags if found else {}
    except Exception:  # whatever keeps MLflow from answering
        return None
    if "exit_code" not in tags:
        return None
    return Outcome(int(tags["exit_code"]), tags.get("outcome", ""))


UNKNOWN = Outcome(
    EXIT_PUBLISHED, "succeeded; MLflow, which knows whether it published, cannot be asked from here"
)


def record_failure(
    settings: Settings, place: Place, run: "V2beta1Run", nodes: Iterable[str], ended: Outcome
) -> str:
    """Puts on record a run whose Recorder never ran; what the user should know of that, or "".

    Args:
      settings: of the run.
      place: where MLflow is.
      run: that failed or was stopped.
      nodes: of the graph.
      ended: as `of_failed` says.
    """
    from pipeline import fingerprints
    from pipeline.tracking import journal, sync

    record = run_record.name(run.run_id)
    name = failed_node(tasks_of(run, nodes))
    interrupted = ended.sentence == INTERRUPTED
    about = (settings.data.uri or "").rstrip("/").rpartition("/")[2]
    tags = {
        "exit_code": str(ended.exit_code),
        "state": INTERRUPTED if interrupted else _STATES[ended.exit_code],
        "outcome": ended.sentence,
        **({"failed_node": name} if name else {}),
    }
    begun, over = _milliseconds(run.created_at), _milliseconds(run.finished_at)
    entries: list[journal.Entry] = [
        journal.Start(
            record=record,
            name=f"{about} · {settings.profile} · {time.strftime('%d %b %H:%M')}",
            at=begun,
            tags=run_record.tags(run.run_id, fingerprints.of_checkout()),
        ),
        journal.Parameters(record=record, values=journal.flat(settings.model_dump(mode="json"))),
        journal.Tags(record=record, values=tags),
        journal.End(record=record, status="KILLED" if interrupted else "FAILED", at=over),
    ]
    return sync.told(place, record, *entries)


def _plain(name: str | None) -> str:
    return (name or "").lower().replace("_", "-")


def _reason(told: Any) -> str:
    message = told.error.message if told.error else ""
    return f": {' '.join(message.split())}" if message else ""


def _end(task: Any) -> float:
    return task.end_time.timestamp() if task.end_time else float("inf")


def _milliseconds(when: datetime | None) -> int:
    return round(1000 * (when.timestamp() if when else time.time()))
