"""How a training in progress is heard of, without the trainer knowing who listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a training stands. `figures` are the last epoch's, by name."""

    model: str
    epoch: int  # finished epochs
    epochs: int
    step: int  # finished steps of this epoch
    steps: int
    figures: dict[str, float]


Listener = Callable[[Progress], None]

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls `listener` on every report made inside the block, in this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def report(progress: Progress) -> None:
    """Tells every listener."""
    for listener in _listeners:
        listener(progress)
