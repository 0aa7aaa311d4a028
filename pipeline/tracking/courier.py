"""Delivers a journal while it is written, in a thread, without the writer ever waiting for it.

What earlier runs left undelivered goes first.
"""

import logging
import threading
from pathlib import Path

from pipeline.tracking import delivery, sync
from pipeline.tracking.place import Place

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds between looks into the journal
# After a failure, the longest wait: a server that is down is asked ever less often.
LONGEST_WAIT = 60.0


class Courier:
    """A thread that delivers what a journal holds, again and again."""

    def __init__(self, path: Path, place: Place) -> None:
        """Begins at once; `path` is the journal's."""
        self._path, self._place = path, place
        self._stop = threading.Event()
        self._delivery: delivery.Delivery | None = None
        self.problem = ""  # what keeps MLflow from answering; "" when nothing does
        self._thread = threading.Thread(target=self._run, name="mlflow-courier", daemon=True)
        self._thread.start()

    def finish(self, patience: float) -> bool:
        """Delivers the rest, for as long as something is delivered; whether that was all.

        Args:
          patience: how long nothing may be delivered before it is left for later, seconds.
        """
        self._stop.set()
        before = None
        while self._thread.is_alive():
            self._thread.join(patience)
            now = self._delivery.waiting if self._delivery else None
            if self._thread.is_alive() and now == before:
                self.problem = self.problem or f"no answer for {patience:g} s"
                return False
            before = now
        return self._delivery is not None and not self._delivery.waiting

    @property
    def refused(self) -> list[str]:
        """What MLflow refused for good, a line each."""
        return list(self._delivery.refused) if self._delivery else []

    def forget(self) -> None:
        """Removes the journal, once it is closed and delivered."""
        if self._delivery:
            self._delivery.forget()

    def _run(self) -> None:
        wait = EVERY
        last = False
        while not last:
            last = self._stop.wait(wait)
            try:
                if self._delivery is None:
                    sync.deliver(self._place)
                    self._delivery = delivery.Delivery(self._path, self._place)
                self._delivery.go_on()
                self.problem, wait = "", EVERY
            except Exception as error:
                self.problem = str(error).strip().partition("\n")[0] or type(error).__name__
                wait = min(2 * wait, LONGEST_WAIT)
                log.warning("MLflow at %s: %s", self._place.shown, self.problem)
