"""What searches for hyperparameters found, on a terminal and as settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.errors import UserError
from pipeline.record import NodeRun
from trainer import search_space, trials
from trainer.hyperparameters import Hyperparameters
from trainer.search_space import Range

FOLDER = "tuning"  # below the work folder
NODE = "Tuner_"


@dataclass(frozen=True)
class Found:
    """A search and what it left."""

    search: trials.Search
    trials: list[trials.Trial]
    folder: Path
    seconds: float


def run_tuning(
    workdir: Path, as_json: bool, as_settings: bool, console: Console | None = None
) -> int:
    """Prints the last search of every model, finished or not; returns the exit code.

    Args:
      workdir: of the run.
      as_json: a trial a line, with its model.
      as_settings: what to write in a profile for the best trials' values to be checked in.
      console: where to.

    Raises:
      UserError: when nothing was searched in `workdir` yet, or nothing found that was asked for.
    """
    console = console or Console()
    searches = last_searches(workdir)
    if not searches:
        raise UserError(
            f"{workdir}: nothing was tuned here; run agegender run --set tuning.enabled=true first"
        )
    if as_settings:
        console.out(_settings(searches), end="", highlight=False)
    elif as_json:
        for found in searches:
            for trial in found.trials:
                row = {"model": found.search.model} | trial.model_dump(mode="json")
                console.out(json.dumps(row), highlight=False)
    else:
        for found in searches:
            _show(console, found)
    return 0


def last_searches(workdir: Path) -> list[Found]:
    """The newest search of every model, in the order of their names."""
    newest: dict[str, Path] = {}
    files = (workdir / FOLDER).glob(f"*/*/{trials.SEARCH_FILE}")
    for path in sorted(files, key=lambda path: path.stat().st_mtime):
        newest[path.parent.name] = path.parent
    return [
        Found(
            trials.read_search(folder),
            trials.finished(folder),
            folder,
            trials.seconds_spent(folder),
        )
        for _, folder in sorted(newest.items())
    ]


def show_result(console: Console, nodes: Mapping[str, NodeRun]) -> None:
    """At the end of a run: for every tuned model, what won, why it ended, and what failed."""
    for name, node in nodes.items():
        if not (name.startswith(NODE) and node.succeeded):
            continue
        folder = node.outputs["tuner_results"].path
        search = trials.read_search(folder)
        lines = (folder / trials.TRIALS_FILE).read_text(encoding="utf-8")
        found = trials.parse_lines(lines)
        for line in summary(search, found):
            console.print(line, soft_wrap=True, markup=False, highlight=False)


def summary(search: trials.Search, found: list[trials.Trial]) -> list[str]:
    """A search in a few lines: the best trial, what is checked in, and each failure."""
    best = trials.ranked(found)[0]
    lines = [
        f"Tuning {search.model}: trial {best.number} of {len(found)} is best, {trials.told(best)}"
    ]
    ours = [t for t in found if trials.is_checked_in(t) and t.status == "completed"]
    if trials.is_checked_in(best):
        lines[0] += ": what is checked in"
    elif ours:
        lines.append(f"  what is checked in: {trials.told(ours[0])}")
    lines.append(f"  ended: {search.ended}")
    lines += [_failure(trial) for trial in trials.failed(found)]
    return lines


def _failure(trial: trials.Trial) -> str:
    return f"  trial {trial.number} failed: {trial.reason}"


def _show(console: Console, found: Found) -> None:
    search = found.search
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("trial", "val score", "age MAE", "gender acc.", "epochs", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("values, where not what is checked in")
    base = _values_of(found.trials, 1)
    for trial in trials.ranked(found.trials):
        table.add_row(*_row(trial), Text(_told_difference(trial.hyperparameters, base)))
    ended = search.ended or "not ended: the same agegender run goes on with it"
    console.print(
        f"{search.model}: {search.algorithm}, {len(found.trials)} of {search.max_trials} trials, "
        f"{found.seconds / 60:.1f} of {search.max_minutes:g} min; {ended}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
    console.print(table)
    for trial in trials.failed(found.trials):
        console.print(_failure(trial), soft_wrap=True, markup=False, highlight=False)
    searched = "; ".join(f"{name} {_told_wanted(w)}" for name, w in search.space.items())
    console.print(f"Searched: {searched}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"Folder: {found.folder}\n", soft_wrap=True, markup=False, highlight=False)


def _row(trial: trials.Trial) -> list[str]:
    figures = (
        f"{trial.score:.3f}",
        "-" if trial.age_mae is None else f"{trial.age_mae:.2f}",
        "-" if trial.gender_accuracy is None else f"{trial.gender_accuracy:.1%}",
    )
    return [str(trial.number), *figures, str(trial.epochs), f"{trial.seconds:.1f}"]


def _values_of(found: list[trials.Trial], number: int) -> search_space.Values:
    return next((trial.hyperparameters for trial in found if trial.number == number), {})


def _told_difference(values: search_space.Values, base: search_space.Values) -> str:
    other = {name: value for name, value in values.items() if base.get(name) != value}
    told = trials.told_values(other)
    return ", ".join(f"{name} {value}" for name, value in told.items()) or "what is checked in"


def _told_wanted(wanted: search_space.Wanted) -> str:
    if isinstance(wanted, Range):
        return f"{wanted.min:g} to {wanted.max:g} ({wanted.sampling})"
    return ", ".join(trials.told_values({str(value): value for value in wanted}).values())


def _settings(searches: list[Found]) -> str:
    """YAML of the best trials, to be put in a profile."""
    models: dict[str, Any] = {}
    for found in searches:
        for best in trials.ranked(found.trials)[:1]:
            hyper = Hyperparameters.model_validate(found.search.hyperparameters)
            models[found.search.model] = search_space.as_settings(hyper, best.hyperparameters)
    if not models:
        raise UserError("no trial was completed yet: there is nothing to check in")
    return str(yaml.safe_dump({"models": models}, sort_keys=False, default_flow_style=None))
