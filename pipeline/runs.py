"""Runs on record, on a terminal: what MLflow's page shows, in tables."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlflow.entities import Run
from rich import box
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from pipeline import settings
from pipeline.tracking import journal, sync
from pipeline.tracking.place import Place
from pipeline.tracking.reading import all_runs, chosen, is_inside, parent_of, short_id, unreachable

# The figures that runs are compared by at first sight: heading and form.
FIGURES = {
    "test/age_mae": ("age", "{:.2f}"),
    "test/gender_accuracy": ("gender", "{:.1%}"),
}
# Of the runs inside one, too.
_ALL_FIGURES = FIGURES | {"score": ("score", "{:.3f}"), "val_score": ("val score", "{:.3f}")}


def run_list(where: Place, as_json: bool, limit: int, console: Console | None = None) -> int:
    """Lists the pipeline's runs, newest first; returns the exit code."""
    found = [run for run in all_runs(where) if not parent_of(run)][:limit]
    if as_json:
        sys.stdout.write(json.dumps([_plain(run) for run in found], indent=2) + "\n")
        return 0
    console = console or Console(highlight=False)
    if found:
        console.print(_list(found))
        console.print("Age: MAE in years, gender: accuracy, of the best candidate on test.")
    else:
        console.print("No run is on record yet.")
    if not where.is_local:
        console.print(f"On record in MLflow at {where.shown}", soft_wrap=True, markup=False)
    _say_waiting(where, console)
    return 0


def _list(found: Sequence[Run]) -> Table:
    """A line a run, which fits into 80 columns whatever the data are called."""
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    table.add_column("id", no_wrap=True)
    table.add_column("started", no_wrap=True)
    table.add_column("data", overflow="ellipsis", max_width=24)  # alone gives way
    table.add_column("profile", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for title in (*(title for title, _ in FIGURES.values()), "took"):
        table.add_column(title, justify="right", no_wrap=True)
    for run in found:
        started = datetime.fromtimestamp(run.info.start_time / 1000).strftime("%d %b %H:%M")
        profile = run.data.params.get("profile", "-")
        table.add_row(
            short_id(run), started, _short(run), profile, _state(run), *_figures(run), _took(run)
        )
    return table


def run_show(where: Place, wanted: str, as_json: bool, console: Console | None = None) -> int:
    """Shows one run and those inside it; returns the exit code.

    Args:
      where: MLflow.
      wanted: the beginning of a run's id; "last" is the newest of the pipeline's runs.
      as_json: print all there is instead.
      console: where to print.
    """
    runs = all_runs(where)
    run = chosen(runs, wanted)
    inside = [one for one in runs if is_inside(one, run, runs)]
    if as_json:
        content = {**_plain(run), "inside": [_plain(one) for one in inside]}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return 0
    console = console or Console(highlight=False)
    console.print(_tree(run, inside))
    _pairs(console, "Said of it", _own_tags(run))
    _pairs(console, "Figures", {k: f"{v:.4g}" for k, v in _metrics(run).items()})
    _settings(console, run)
    return 0


def _settings(console: Console, run: Run) -> None:
    """Of a run of the pipeline, those that are not what its profile says: there are hundreds."""
    told = dict(run.data.params)
    profile = told.get("profile")
    if profile in settings.profiles():
        usual = journal.flat(settings.load(profile, {}, []).model_dump(mode="json"))
        changed = {name: value for name, value in told.items() if usual.get(name) != value}
        # What is set for all models is told once.
        changed = {
            name: value
            for name, value in changed.items()
            if not (name.startswith("models.") and changed.get(_of_all_models(name)) == value)
        }
        _pairs(console, f"Other than {profile}", changed)
        console.print(f"All {len(told)} settings: `agegender runs show {short_id(run)} --json`")
    else:
        _pairs(console, "Settings", told)


def _of_all_models(name: str) -> str:
    return "training." + name.partition(".")[2].partition(".")[2]


def run_compare(where: Place, wanted: Sequence[str], console: Console | None = None) -> int:
    """Shows how runs differ, in figures and in settings; returns the exit code."""
    runs = all_runs(where)
    chosen = [chosen(runs, one) for one in wanted]
    console = console or Console(highlight=False)
    for title, values in (
        ("Figures", [{k: f"{v:.4g}" for k, v in _metrics(run).items()} for run in chosen]),
        ("Settings", [dict(run.data.params) for run in chosen]),
        ("Code", [_code(run) for run in chosen]),
    ):
        table = _table(title, *(f"{short_id(run)}" for run in chosen))
        for key in sorted({key for one in values for key in one}):
            row = [one.get(key, "-") for one in values]
            if len(set(row)) > 1:
                table.add_row(key, *row)
        if table.row_count:
            console.print(table)
        else:
            console.print(f"{title}: the same in all of them.")
    return 0


def run_sync(where: Place, console: Console | None = None) -> int:
    """Delivers what waits; returns the exit code.

    Raises:
      UserError: when MLflow does not answer.
    """
    console = console or Console(highlight=False)
    try:
        count, refused = sync.deliver(where)
    except Exception as error:
        raise unreachable(where, error) from error
    console.print(f"Delivered {count} entries to MLflow at {where.shown}.", soft_wrap=True)
    for line in refused:
        console.print(f"MLflow refused {line}", soft_wrap=True, markup=False)
    return 0


def _tree(run: Run, inside: Sequence[Run]) -> Tree:
    branch = Tree(_line(run, run.info.run_name if not parent_of(run) else _short(run)))
    for one in reversed(inside):  # oldest first
        if parent_of(one) == run.info.run_id:
            branch.add(_tree(one, inside))
    return branch


def _short(run: Run) -> str:
    """Its name without what the runs around it are named by, too."""
    return str(run.info.run_name).partition(" · ")[0]


def _line(run: Run, name: str) -> str:
    figures = _metrics(run)
    told = [
        f"{title} {form.format(figures[name])}"
        for name, (title, form) in _ALL_FIGURES.items()
        if name in figures
    ]
    state = [] if _state(run) == "finished" else [_state(run)]
    return "  ".join([f"{short_id(run)} {name}", *state, _took(run), *told])


def _state(run: Run) -> str:
    return str(run.data.tags.get("state", run.info.status.lower()))


def _figures(run: Run) -> list[str]:
    found = _metrics(run)
    return [
        form.format(found[name]) if name in found else "-" for name, (_, form) in FIGURES.items()
    ]


def _metrics(run: Run) -> dict[str, float]:
    """Without those of the machine."""
    return {k: v for k, v in run.data.metrics.items() if not k.startswith("system/")}


def _own_tags(run: Run) -> dict[str, str]:
    """Without MLflow's, but for the code."""
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    return tags | _code(run)


def _code(run: Run) -> dict[str, str]:
    names = ("mlflow.source.git.commit", "git.dirty")
    return {name: run.data.tags[name] for name in names if name in run.data.tags}


def _pairs(console: Console, title: str, values: Mapping[str, str]) -> None:
    if not values:
        return
    table = _table(title, "")
    for key, value in sorted(values.items()):
        table.add_row(key, value)
    console.print(table)


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for one in others:
        table.add_column(one, overflow="fold")
    return table


def _took(run: Run) -> str:
    if not run.info.end_time:
        return "so far"
    seconds = (run.info.end_time - run.info.start_time) / 1000
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _plain(run: Run) -> dict[str, Any]:
    start = datetime.fromtimestamp(run.info.start_time / 1000).astimezone()
    return {
        "run_id": run.info.run_id,
        "name": run.info.run_name,
        "status": run.info.status,
        "start": start.isoformat(timespec="seconds"),
        "metrics": dict(run.data.metrics),
        "params": dict(run.data.params),
        "tags": dict(run.data.tags),
    }


def _say_waiting(where: Place, console: Console) -> None:
    for one in sync.waiting(where):
        if one.entries:
            console.print(
                f"{one.entries} entries of {one.path.stem} wait: deliver them with "
                "`agegender runs sync`",
                soft_wrap=True,
            )
