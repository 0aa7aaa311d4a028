"""Journals that wait: of runs whose MLflow did not answer, and of runs that were killed."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipeline.tracking import delivery, journal
from pipeline.tracking.place import Place


class Waiting(NamedTuple):
    """A journal that is not delivered."""

    path: Path
    entries: int


def deliver(place: Place) -> tuple[int, list[str]]:
    """Delivers every journal that no run is writing.

    Returns:
      How many entries were delivered, and what MLflow refused for good, a line each.

    Raises:
      Exception: whatever keeps MLflow from answering; all that came before is delivered.
    """
    count, refused = 0, list[str]()
    for path in _journals(place):
        with delivery.held(path) as free:
            if not free:
                continue
            delivery.close_what_was_killed(path)
            going = delivery.Delivery(path, place)
            before = going.waiting
            try:
                going.go_on()
            finally:
                count += before - going.waiting
            refused += going.refused
            going.forget()
    return count, refused


def told(place: Place, name: str, *entries: journal.Entry) -> str:
    """Records what no run on this machine makes, now or, if MLflow does not answer, later.

    Args:
      place: where MLflow is.
      name: of its journal.
      entries: what is recorded, in order.

    Returns:
      What the user should know of that, or "".
    """
    book = journal.Journal(place.journals / f"{name}{journal.SUFFIX}")
    for entry in entries:
        book.write(entry)
    book.close()
    going = delivery.Delivery(book.path, place)
    try:
        going.go_on()
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        return f"MLflow does not answer ({reason}): tell it later with `agegender runs sync`"
    going.forget()
    return f"MLflow: {going.refused[0]}" if going.refused else ""


def waiting(place: Place) -> list[Waiting]:
    """The journals that no run is writing, with how much of each is still to be delivered."""
    found = []
    for path in _journals(place):
        with suppress(FileNotFoundError), delivery.held(path) as free:
            if free:
                found.append(Waiting(path, delivery.undelivered(path)))
    return found


def _journals(place: Place) -> list[Path]:
    return sorted(place.journals.glob(f"*{journal.SUFFIX}"))
