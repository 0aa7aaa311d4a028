"""What of a run is recorded, as it happens: it hears of nodes and trainings, and writes entries."""

import fcntl
import getpass
import logging
import os
import time
from collections.abc import Iterable, Mapping

from pipeline.errors import EXIT_DATA_GATE, EXIT_NO_WINNER, EXIT_PUBLISHED
from pipeline.outcome import INTERRUPTED
from pipeline.record import NodeRun
from pipeline.settings import Settings
from pipeline.tracking import contents, journal, system
from pipeline.tracking.contents import Node, child
from pipeline.tracking.courier import Courier
from pipeline.tracking.place import Place, without_password
from pipeline.tracking.repository import git_tags, lock_file
from trainer.progress import Progress

log = logging.getLogger(__name__)

STATES = {
    EXIT_PUBLISHED: "published",
    EXIT_NO_WINNER: "no winner",
    EXIT_DATA_GATE: "data gate",
}
FAILED = "failed"

# Of a finished run, how long a store that does not answer is waited for, seconds. A database on
# this machine may be slow, as when it is made on a busy one, but is never gone.
PATIENCE, LOCAL_PATIENCE = 30.0, 300.0
# Nodes with a run of their own.
_OWN_RUNS = {"Trainer": "train", "Tuner": "search", "Evaluator": "evaluate"}


class Recorder:
    """Writes down one run of the pipeline, and has it delivered."""

    def __init__(
        self,
        settings: Settings,
        place: Place,
        about: str,
        record: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Opens the run.

        Args:
          settings: of the run.
          place: where MLflow is.
          about: the data, in short, for names.
          record: its name, which a second attempt must share; a new one if none.
          tags: laid upon what this machine knows of itself.
        """
        when = time.strftime("%d %b %H:%M")
        self.record = record or f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._place, self._about = place, f"{about} · {when}"
        self._journal = journal.Journal(place.journals / f"{self.record}{journal.SUFFIX}")
        # The kernel lets go of it when the process dies: then somebody else may deliver the rest.
        self._held = self._journal.path.open("rb")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        self._open: list[str] = []  # records, a run before those inside it
        self._reused: dict[str, str | None] = {}
        self._ended: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        begun_by = _tags() | dict(tags or {})
        self._start(self.record, f"{about} · {settings.profile} · {when}", None, begun_by)
        told = journal.flat(settings.model_dump(mode="json"))
        told["tracking.uri"] = without_password(told["tracking.uri"])
        self._write(journal.Parameters(record=self.record, values=told))
        if lock := lock_file():
            self._write(journal.Files(record=self.record, path=str(lock), folder="environment"))
        self._courier = Courier(self._journal.path, place)
        every = settings.tracking.system_seconds
        self._sampler = system.Sampler(every, self._machine) if every else None

    def trained(self, news: Progress) -> None:
        """Hears of every step of a training; the first and the ends of epochs matter."""
        record = self._of_training(news)
        if not news.logs or self._epochs.get(record) == news.epoch:
            return
        self._epochs[record] = news.epoch
        curves = {
            f"epoch/{name}" if name.startswith("val_") else f"epoch/train_{name}": value
            for name, value in news.logs.items()
        }
        self._write(journal.metrics(record, contents.finite(curves), news.epoch))

    def _of_training(self, news: Progress) -> str:
        """The record of a training, which begins with the first word of it."""
        if news.search:
            inside = child(self.record, f"Tuner_{news.model}")
            self._begin(inside, f"search {news.model} · {self._about}", self.record)
            record = child(inside, f"trial-{news.search.trial}")
            name = f"trial {news.search.trial:02d} {news.model} · {self._about}"
            if record not in self._open:
                self._end_inside(inside, "FINISHED")  # the trial before it
                self._begin(record, name, inside)
                told = journal.flat(news.search.values)
                self._write(journal.Parameters(record=record, values=told))
            return record
        record = child(self.record, f"Trainer_{news.model}")
        self._begin(record, f"train {news.model} · {self._about}", self.record)
        if news.role:
            inside, record = record, child(record, news.role.replace(" ", "-"))
            self._begin(record, f"{news.role} of {news.model} · {self._about}", inside)
        return record

    def finished(self, node_id: str, run: NodeRun | None, made_by: str | None) -> str | None:
        """Hears of a node that ended.

        Args:
          node_id: its id.
          run: what it left in ML Metadata; None when it left nothing.
          made_by: for a result that was reused, the record of the run that made it, if it has one.

        Returns:
          The record that is about it; None when nothing is.
        """
        if run is None:
            return None
        node = Node(node_id, run, self.record, self._reused)
        if run.state == "CACHED":
            self._reused[node_id] = made_by
            if made_by:
                self._write(journal.Reuse(record=self.record, node=node_id, made_by=made_by))
            if node.kind in contents.OF_THE_WHOLE:
                self._write_all(contents.of_node(node))
            return made_by
        if own := _OWN_RUNS.get(node.kind):
            # Of a node on a cluster nobody knows here how long it took.
            begun = journal.now() - round(1000 * run.seconds if run.seconds > 0 else 0)
            self._begin(node.record, f"{own} {node.subject} · {self._about}", self.record, begun)
            if run.execution_id:
                ids = {"mlmd.execution_id": str(run.execution_id)}
                self._write(journal.Tags(record=node.record, values=ids))
        if run.succeeded:
            self._write_all(contents.of_node(node))
        if node.kind == "Tuner" and run.succeeded:
            self._end_trials(node)
        if own:
            self._end_inside(node.record, "FINISHED" if run.succeeded else "FAILED")
            self._end(node.record, "FINISHED" if run.succeeded else "FAILED")
        return node.record if own else self.record

    def _end_trials(self, node: Node) -> None:
        """Those of this run, with what came of them."""
        for trial in contents.trials_of(node):
            record = child(node.record, f"trial-{trial.number}")
            if record in self._epochs or record in self._open:
                self._write_all(contents.of_trial(record, trial))
                self._end(record, "FAILED" if trial.status == "failed" else "FINISHED")

    def close(self, exit_code: int, state: str, sentence: str, run_id: str | None) -> str:
        """Ends the run's record; what is still to be said of it to the user, or "".

        Args:
          exit_code: of the command.
          state: in a word or two.
          sentence: how it ended.
          run_id: of ML Metadata.
        """
        if self._sampler:
            self._sampler.finish()
        tags = {"exit_code": str(exit_code), "state": state, "outcome": sentence}
        if run_id:
            tags["mlmd.pipeline_run"] = run_id
        if exit_code not in (EXIT_PUBLISHED, EXIT_NO_WINNER):
            tags[contents.DESCRIPTION] = sentence
        self._write(journal.Tags(record=self.record, values=tags))
        killed = state == INTERRUPTED
        good = exit_code in (EXIT_PUBLISHED, EXIT_NO_WINNER)
        status: journal.Status = "KILLED" if killed else "FINISHED" if good else "FAILED"
        for record in reversed(self._open):
            self._end(record, status)
        patience = LOCAL_PATIENCE if self._place.is_local else PATIENCE
        delivered = self._courier.finish(patience)
        self._journal.close()
        self._held.close()
        if delivered:
            refused = self._courier.refused
            self._courier.forget()
            return f"MLflow refused {len(refused)} entries: {refused[0]}" if refused else ""
        return (
            f"MLflow at {self._place.shown} does not answer ({self._courier.problem}): the record "
            "is kept; deliver it with `agegender runs sync`"
        )

    def _machine(self, found: Mapping[str, float], step: int) -> None:
        self._write(journal.metrics(self.record, found, step))

    def _begin(self, record: str, name: str, parent: str, at: int | None = None) -> None:
        if record not in self._open:
            self._start(record, name, parent, {}, at)

    def _start(
        self,
        record: str,
        name: str,
        parent: str | None,
        tags: dict[str, str],
        at: int | None = None,
    ) -> None:
        self._open.append(record)
        at = at or journal.now()
        self._write(journal.Start(record=record, name=name, at=at, parent=parent, tags=tags))

    def _end_inside(self, record: str, status: journal.Status) -> None:
        for inside in [one for one in self._open if one.startswith(f"{record}/")]:
            self._end(inside, status)

    def _end(self, record: str, status: journal.Status) -> None:
        if record in self._open:
            self._open.remove(record)
        # Of a trial the next one tells that it ended, and only the search what came of it.
        at = self._ended.setdefault(record, journal.now())
        self._write(journal.End(record=record, status=status, at=at))

    def _write_all(self, entries: Iterable[journal.Entry]) -> None:
        for entry in entries:
            self._write(entry)

    def _write(self, entry: journal.Entry) -> None:
        try:
            self._journal.write(entry)
        except OSError as error:  # a full disk
            log.warning("cannot write %s: %s", self._journal.path, error)


def _tags() -> dict[str, str]:
    return {
        "mlflow.user": _user(),
        "mlflow.source.name": "agegender run",
        "mlflow.source.type": "LOCAL",
        **git_tags(),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in a container
        return str(os.getuid())
