"""The journal of a run: what is to be recorded in MLflow, a JSON line an entry, in order.

Entries name MLflow runs by records, ids of our own, as MLflow's are known only once it answers.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

SUFFIX = ".jsonl"
Status = Literal["FINISHED", "FAILED", "KILLED"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    record: str  # the run it is about


class Start(_Entry):
    """A run begins; its tags are there from the first moment."""

    kind: Literal["start"] = "start"
    name: str
    at: int  # ms since 1970, as MLflow counts
    parent: str | None = None
    tags: dict[str, str] = {}


class Parameters(_Entry):
    """Parameters, which never change."""

    kind: Literal["parameters"] = "parameters"
    values: dict[str, str]


class Metrics(_Entry):
    """Metrics of one step; the time makes a second delivery the same as the first."""

    kind: Literal["metrics"] = "metrics"
    values: dict[str, float]
    step: int
    at: int


class Tags(_Entry):
    """Tags; later ones win."""

    kind: Literal["tags"] = "tags"
    values: dict[str, str]


class Dataset(_Entry):
    """The data a run learned from."""

    kind: Literal["dataset"] = "dataset"
    name: str
    digest: str
    source: str
    profile: dict[str, int]


class Files(_Entry):
    """A file, or the files of a folder, kept as artifacts below `folder`."""

    kind: Literal["files"] = "files"
    path: str
    folder: str


class Reuse(_Entry):
    """A node's result was reused: the tag of these leads to the run that made it."""

    kind: Literal["reuse"] = "reuse"
    node: str
    made_by: str  # its record


class Register(_Entry):
    """A published servable becomes a version of the registered model."""

    kind: Literal["register"] = "register"
    servable: str
    version: int
    aliases: list[str] = []
    tags: dict[str, str] = {}


class Move(_Entry):
    """The content of a registered version is served under another number."""

    kind: Literal["move"] = "move"
    digest: str  # of the content
    version: int
    tags: dict[str, str] = {}


class End(_Entry):
    """A run ended."""

    kind: Literal["end"] = "end"
    status: Status
    at: int


Entry = Annotated[
    Start | Parameters | Metrics | Tags | Dataset | Files | Reuse | Register | Move | End,
    Field(discriminator="kind"),
]
_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


def now() -> int:
    """Milliseconds since 1970, as MLflow counts time."""
    return time.time_ns() // 1_000_000


class Journal:
    """The file of one run, written from any thread; an entry that is written stays, whatever dies.

    A machine that loses power may lose the last entries; a killed process loses none.
    """

    def __init__(self, path: Path) -> None:
        """`path`: of a new file; its folder is made if missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        """Adds one entry."""
        with self._lock:
            self._file.write(entry.model_dump_json() + "\n")
            self._file.flush()

    def close(self) -> None:
        """No further entries."""
        self._file.close()


def entries(path: Path, offset: int = 0) -> Iterator[tuple[Entry | None, int]]:
    """The whole entries from an offset in bytes, each with the offset after it.

    A line that is still being written, or was cut off by a kill, is left for later. One that is no
    entry, as another version of this program may write it, is None.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                entry = _ENTRY.validate_json(line)
            except ValidationError:
                entry = None
            yield entry, offset


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings by their dotted names, as parameters; lists as JSON."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            found[prefix + key] = json.dumps(value)
        else:
            found[prefix + key] = "" if value is None else str(value)
    return found


def metrics(record: str, values: Mapping[str, float], step: int = 0) -> Metrics:
    """An entry of metrics as they are now."""
    return Metrics(record=record, values=dict(values), step=step, at=now())
