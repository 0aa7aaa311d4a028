"""From a journal to MLflow, each entry once, from where the last delivery ended.

A delivery that is cut off between MLflow's answer and our note of it is repeated: a run is found by
its record before it is made, and everything else comes to the same when told twice.
"""

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset as MlflowDataset
from mlflow.entities import DatasetInput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from pipeline.tracking import journal, registry
from pipeline.tracking.experiment import experiment_id
from pipeline.tracking.place import Place

log = logging.getLogger(__name__)

RECORD_TAG = "agegender.record"
REUSED_TAG = "agegender.reused"  # as JSON: of every node reused, the run that made its result
# What MLflow takes at once, and of a value.
_MOST_PARAMETERS, _MOST_METRICS, _LONGEST = 100, 1000, 6000
# Of an answer that means: not now. Whatever else is refused would be refused again.
_LATER = (401, 403, 408, 425, 429)


class Delivery:
    """The way of one journal to one MLflow."""

    def __init__(self, path: Path, place: Place) -> None:
        """`path`: the journal's; how far it came is kept beside it."""
        self._path, self._place = path, place
        self._note = _note(path)
        told = json.loads(self._note.read_text()) if self._note.exists() else {}
        self._offset: int = told.get("offset", 0)
        self._runs: dict[str, str] = told.get("runs", {})
        self.refused: list[str] = told.get("refused", [])
        self._experiment: str | None = None
        self._client = MlflowClient(place.uri, place.uri)

    def go_on(self) -> None:
        """Delivers what there is.

        Raises:
          Exception: whatever keeps MLflow from answering; all that came before is delivered.
        """
        for entry, offset in journal.entries(self._path, self._offset):
            if entry is None:
                self._refuse(f"the entry before byte {offset} of {self._path.name}", "unreadable")
            else:
                try:
                    self._deliver(entry)
                except (MlflowException, ValueError, TypeError, LookupError) as error:
                    if isinstance(error, MlflowException) and not _is_final(error):
                        raise
                    self._refuse(f"{entry.kind} of {entry.record}", str(error))
            self._offset = offset
            self._write_note()

    @property
    def waiting(self) -> int:
        """How many entries are still to be delivered."""
        return sum(1 for _ in journal.entries(self._path, self._offset))

    def forget(self) -> None:
        """Removes a journal that is delivered to its end."""
        self._note.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def _refuse(self, what: str, why: str) -> None:
        line = f"{what}: {why.partition(chr(10))[0]}"
        log.warning("not recorded: %s", line)
        self.refused.append(line)

    def _write_note(self) -> None:
        told = {"offset": self._offset, "runs": self._runs, "refused": self.refused}
        staged = self._note.with_suffix(".part")
        staged.write_text(json.dumps(told))
        os.replace(staged, self._note)

    def _deliver(self, entry: journal.Entry) -> None:
        deliver: Callable[[Any], None] = getattr(self, f"_{entry.kind}")
        deliver(entry)

    def _start(self, entry: journal.Start) -> None:
        if self._known(entry.record):
            return
        tags = {RECORD_TAG: entry.record, **entry.tags}
        if entry.parent:
            tags[MLFLOW_PARENT_RUN_ID] = self._run(entry.parent)
        run = self._client.create_run(
            self._experiment_id(), start_time=entry.at, tags=tags, run_name=entry.name
        )
        self._runs[entry.record] = run.info.run_id

    def _parameters(self, entry: journal.Parameters) -> None:
        run = self._run(entry.record)
        for some in _parts(entry.values, _MOST_PARAMETERS):
            told = [Param(key, value[:_LONGEST]) for key, value in some]
            self._client.log_batch(run, params=told)

    def _metrics(self, entry: journal.Metrics) -> None:
        run = self._run(entry.record)
        for some in _parts(entry.values, _MOST_METRICS):
            told = [Metric(key, value, entry.at, entry.step) for key, value in some]
            self._client.log_batch(run, metrics=told)

    def _tags(self, entry: journal.Tags) -> None:
        run = self._run(entry.record)
        for some in _parts(entry.values, _MOST_PARAMETERS):
            self._client.log_batch(run, tags=[RunTag(key, value) for key, value in some])

    def _dataset(self, entry: journal.Dataset) -> None:
        source = json.dumps({"uri": entry.source})
        dataset = MlflowDataset(
            entry.name, entry.digest, "local", source, profile=json.dumps(entry.profile)
        )
        self._client.log_inputs(self._run(entry.record), [DatasetInput(dataset, [])])

    def _files(self, entry: journal.Files) -> None:
        run, path = self._run(entry.record), Path(entry.path)
        if path.is_dir():
            self._client.log_artifacts(run, str(path), entry.folder)
        elif path.exists():
            self._client.log_artifact(run, str(path), entry.folder)
        else:
            self.refused.append(f"files of {entry.record}: {path} is gone")

    def _reuse(self, entry: journal.Reuse) -> None:
        made_by = self._known(entry.made_by) or entry.made_by
        run = self._run(entry.record)
        told = json.loads(self._client.get_run(run).data.tags.get(REUSED_TAG, "{}"))
        self._client.set_tag(run, REUSED_TAG, json.dumps({**told, entry.node: made_by}))

    def _register(self, entry: journal.Register) -> None:
        registry.register(self._client, self._run(entry.record), entry)

    def _move(self, entry: journal.Move) -> None:
        registry.move(self._client, entry)

    def _end(self, entry: journal.End) -> None:
        self._client.set_terminated(self._run(entry.record), entry.status, entry.at)

    def _run(self, record: str) -> str:
        """MLflow's id of a record's run, which may have been begun by another journal."""
        found = self._known(record)
        if found is None:
            raise MlflowException.invalid_parameter_value(f"there is no run of {record}")
        return found

    def _known(self, record: str) -> str | None:
        if record not in self._runs:
            found = find(self._client, self._experiment_id(), record)
            if found is None:
                return None
            self._runs[record] = found
        return self._runs[record]

    def _experiment_id(self) -> str:
        if self._experiment is None:
            self._experiment = experiment_id(self._client, self._place)
        return self._experiment


def undelivered(path: Path) -> int:
    """How many entries of a journal are still to be delivered; without asking MLflow."""
    note = _note(path)
    offset = json.loads(note.read_text())["offset"] if note.exists() else 0
    return sum(1 for _ in journal.entries(path, offset))


def _note(path: Path) -> Path:
    return path.with_suffix(".delivered.json")


def find(client: MlflowClient, experiment: str, record: str) -> str | None:
    """MLflow's id of the run of a record, or None."""
    found = client.search_runs([experiment], f"tags.`{RECORD_TAG}` = '{record}'", max_results=1)
    return found[0].info.run_id if found else None


def _is_final(error: MlflowException) -> bool:
    status = error.get_http_status_code()
    return 400 <= status < 500 and status not in _LATER


def _parts(values: Mapping[str, Any], most: int) -> Iterator[list[tuple[str, Any]]]:
    told = list(values.items())
    return (told[index : index + most] for index in range(0, len(told), most))


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Holds a journal, so that nobody else writes or delivers it; whether that could be."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def close_what_was_killed(path: Path) -> None:
    """Ends in a journal the runs that its writer, which is gone, did not end."""
    open_runs: list[str] = []
    kept = 0
    for entry, offset in journal.entries(path):
        kept = offset
        if entry and entry.kind == "start":
            open_runs.append(entry.record)
        elif entry and entry.kind == "end" and entry.record in open_runs:
            open_runs.remove(entry.record)
    at = int(path.stat().st_mtime * 1000)
    with path.open("r+b") as file:
        file.truncate(kept)  # of a line that was cut off
    if not open_runs:
        return
    writing = journal.Journal(path)
    for record in reversed(open_runs):
        writing.write(journal.End(record=record, status="KILLED", at=at))
    writing.close()
