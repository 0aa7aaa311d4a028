"""One run of the pipeline on record, from its first node to whatever ends it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml_metadata import MetadataStore
from rich.console import Console

from pipeline import record
from pipeline.errors import EXIT_ERROR
from pipeline.outcome import INTERRUPTED, Outcome
from pipeline.record import NodeRun
from pipeline.settings import Settings
from pipeline.tracking import place
from pipeline.tracking.recorder import FAILED, STATES, Recorder
from trainer import progress

log = logging.getLogger(__name__)


class Recording:
    """Passes on to a recorder what the runner sees, and marks in ML Metadata what it made of it."""

    def __init__(self, recorder: Recorder | None, store: MetadataStore) -> None:
        """`recorder`: None when nothing is to be recorded."""
        self._recorder, self._store = recorder, store
        self.outcome = Outcome(EXIT_ERROR, INTERRUPTED)

    def node_finished(self, node: str, run: NodeRun | None) -> None:
        """Called with every node that ended."""
        if self._recorder is None:
            return
        try:
            reused = run is not None and run.state == "CACHED"
            made_by = record.marked_maker(self._store, run) if run and reused else None
            written = self._recorder.finished(node, run, made_by)
            if run and written:
                record.mark(self._store, run.execution_id, written)
        except Exception:  # a record that cannot be made must not end a run
            log.exception("%s could not be recorded", node)

    def ended(self, outcome: Outcome) -> None:
        """How the run ended."""
        self.outcome = outcome


@contextmanager
def recording(
    settings: Settings, workdir: Path, about: str, store: MetadataStore, console: Console
) -> Iterator[Recording]:
    """Records what happens inside the block, where settings want it.

    Args:
      settings: of the run.
      workdir: where it works.
      about: its data, in short.
      store: its ML Metadata.
      console: for what has to be said at the end.
    """
    if not settings.tracking.enabled:
        yield Recording(None, store)
        return
    where = place.of(settings.tracking, workdir)
    place.remember(settings.tracking, workdir)
    recorder = Recorder(settings, where, about)
    found = Recording(recorder, store)
    try:
        with progress.listening(recorder.trained):
            yield found
    except BaseException as error:
        found.outcome = Outcome(EXIT_ERROR, str(error).partition("\n")[0] or INTERRUPTED)
        raise
    finally:
        ended = found.outcome
        state = (
            INTERRUPTED if ended.sentence == INTERRUPTED else STATES.get(ended.exit_code, FAILED)
        )
        with console.status("Delivering the record to MLflow"):
            said = recorder.close(ended.exit_code, state, ended.sentence, record.last_run(store))
        if said:
            console.print(said, soft_wrap=True, markup=False)
