"""How a training in progress is heard of, without the trainer knowing who listens."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Search:
    """Where a search for hyperparameters stands, of which a training is a trial."""

    trial: int  # from 1
    trials: int  # at most
    best: str  # the best trial's figures in words; "" before there is one
    seconds: float  # spent on trials before this one
    max_seconds: float
    values: Mapping[str, Any] = field(default_factory=dict)  # the trial's hyperparameters


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    `figures` are the last epoch's for people to read, `logs` all that Keras measured in it.
    """

    model: str
    epoch: int  # finished epochs
    epochs: int
    step: int  # finished steps of this epoch
    steps: int
    figures: dict[str, float]
    search: Search | None = None
    role: str = ""  # of a model that is not the one that is kept
    logs: Mapping[str, float] = field(default_factory=dict)


Listener = Callable[[Progress], None]

_listeners: list[Listener] = []
_searches: list[Search] = []
_roles: list[str] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Calls `listener` on every report made inside the block, in this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def within(search: Search) -> Iterator[None]:
    """Reports made inside the block are of a trial of `search`."""
    _searches.append(search)
    try:
        yield
    finally:
        _searches.remove(search)


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    """Reports made inside the block are of a model of that role."""
    _roles.append(role)
    try:
        yield
    finally:
        _roles.remove(role)


def report(progress: Progress) -> None:
    """Tells every listener."""
    if _searches:
        progress = replace(progress, search=_searches[-1])
    if _roles:
        progress = replace(progress, role=_roles[-1])
    for listener in _listeners:
        listener(progress)
