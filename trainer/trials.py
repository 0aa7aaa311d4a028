"""What a search leaves behind: its trials, what was searched, and the time it took.

In its folder `search.json`, `seconds.json` and, beside KerasTuner's own files, `trial_<id>/
record.json`. Every file is replaced as a whole: a killed search leaves none half-written.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from trainer.search_space import Value, Values, Wanted

SEARCH_FILE = "search.json"
TRIALS_FILE = "trials.jsonl"
RECORD_FILE = "record.json"
_SECONDS_FILE = "seconds.json"


class Record(BaseModel):
    """A frozen file's content."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Trial(Record):
    """One finished trial.

    Attributes:
      number: from 1, in the order they were begun.
      status: a failed one has a reason, and may have no figures.
      hyperparameters: by dimension.
      score: the best epoch's val score; lower is better.
      age_mae: of that epoch, on val, years.
      gender_accuracy: likewise.
      epochs: how many it was allowed.
      seconds: it took.
      curves: a value per epoch each; None where one was not finite.
      reason: of the failure, one line.
    """

    number: int
    status: Literal["completed", "failed"]
    hyperparameters: Values
    score: float | None = None
    age_mae: float | None = None
    gender_accuracy: float | None = None
    epochs: int
    seconds: float
    curves: dict[str, list[float | None]] = {}
    reason: str = ""


class Search(Record):
    """What was searched, and how.

    Attributes:
      model: the trained model.
      algorithm: by which trials were chosen.
      space: values or a range for each dimension.
      hyperparameters: what is checked in.
      epochs: of a trial, at most.
      train_share: of split train that a trial saw.
      max_trials: the budget of the last run of it.
      max_minutes: likewise.
      ended: why no further trial was begun; "" while it goes on, or when it was killed.
    """

    model: str
    algorithm: str
    space: dict[str, Wanted]
    hyperparameters: dict[str, Any]
    epochs: int
    train_share: float
    max_trials: int
    max_minutes: float
    ended: str = ""


def write(path: Path, text: str) -> None:
    """Replaces a file, or makes it, its folder too; whoever reads it sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def read_search(folder: Path) -> Search:
    """What was searched in a folder."""
    return Search.model_validate_json((folder / SEARCH_FILE).read_text(encoding="utf-8"))


def finished(folder: Path) -> list[Trial]:
    """The finished trials of a search, in order."""
    found = [
        Trial.model_validate_json(path.read_text(encoding="utf-8"))
        for path in folder.glob(f"trial_*/{RECORD_FILE}")
    ]
    return sorted(found, key=lambda trial: trial.number)


def seconds_spent(folder: Path) -> float:
    """What all trials took so far, the unfinished ones of killed runs included."""
    path = folder / _SECONDS_FILE
    return float(path.read_text()) if path.exists() else 0.0


def spend(folder: Path, seconds: float) -> None:
    """Notes what all trials took so far."""
    write(folder / _SECONDS_FILE, f"{seconds:.1f}")


def as_lines(found: Iterable[Trial]) -> str:
    """A trial a line, as JSON."""
    return "".join(f"{trial.model_dump_json()}\n" for trial in found)


def parse_lines(text: str) -> list[Trial]:
    """What `as_lines` wrote."""
    return [Trial.model_validate_json(line) for line in text.splitlines()]


def ranked(found: Iterable[Trial]) -> list[Trial]:
    """The completed trials, the best first; of equals the earlier one."""
    completed = [trial for trial in found if trial.status == "completed"]
    return sorted(completed, key=lambda trial: (trial.score, trial.number))


def failed(found: Iterable[Trial]) -> list[Trial]:
    """The failed trials, in order."""
    return [trial for trial in found if trial.status == "failed"]


def is_checked_in(trial: Trial) -> bool:
    """Whether a trial tried what is checked in, as the first one does."""
    return trial.number == 1


def told(trial: Trial) -> str:
    """A trial's figures in a few words, as `val score 0.830 (age MAE 5.20, gender 92.1%)`."""
    figures = []
    if trial.age_mae is not None:
        figures.append(f"age MAE {trial.age_mae:.2f}")
    if trial.gender_accuracy is not None:
        figures.append(f"gender {trial.gender_accuracy:.1%}")
    return f"val score {trial.score:.3f} ({', '.join(figures)})"


def told_values(values: Mapping[str, Value]) -> dict[str, str]:
    """Values by dimension, as a person reads them."""
    return {
        name: f"{value:.3g}" if isinstance(value, float) else str(value)
        for name, value in values.items()
    }
