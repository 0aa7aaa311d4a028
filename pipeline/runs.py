"""Runs on record, on a terminal: what MLflow's page shows, in tables."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from rich import box
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from pipeline.errors import EXIT_USAGE, UserError
from pipeline.tracking import place, sync
from pipeline.tracking.place import Place

# The figures that runs are compared by at first sight: heading and form.
FIGURES = {
    "test/age_mae": ("age", "{:.2f}"),
    "test/gender_accuracy": ("gender", "{:.1%}"),
    "score": ("score", "{:.3f}"),
}
# Of the runs inside one, too.
_ALL_FIGURES = FIGURES | {"val_score": ("val score", "{:.3f}")}
_SHORT = 8  # characters of a run's id that are shown
_MOST = 1000  # runs inside one that are looked at


def run_list(where: Place, as_json: bool, limit: int, console: Console | None = None) -> int:
    """Lists the pipeline's runs, newest first; returns the exit code."""
    found = [run for run in _runs(where) if not _parent(run)][:limit]
    if as_json:
        sys.stdout.write(json.dumps([_plain(run) for run in found], indent=2) + "\n")
        return 0
    console = console or Console(highlight=False)
    table = _table("id", "run", "state", *(title for title, _ in FIGURES.values()), "took")
    for run in found:
        state = run.data.tags.get("state", run.info.status.lower())
        table.add_row(_id(run), run.info.run_name, state, *_figures(run), _took(run))
    console.print(table if found else "No run is on record yet.")
    if found:
        console.print("Age: MAE in years, gender: accuracy, of the best on test. Score: on val.")
    _say_waiting(where, console)
    return 0


def run_show(where: Place, wanted: str, as_json: bool, console: Console | None = None) -> int:
    """Shows one run and those inside it; returns the exit code.

    Args:
      where: MLflow.
      wanted: the beginning of a run's id; "last" is the newest of the pipeline's runs.
      as_json: print all there is instead.
      console: where to print.
    """
    runs = _runs(where)
    run = _one(runs, wanted)
    inside = [one for one in runs if _is_inside(one, run, runs)]
    if as_json:
        content = {**_plain(run), "inside": [_plain(one) for one in inside]}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return 0
    console = console or Console(highlight=False)
    console.print(_tree(run, inside))
    _pairs(console, "Said of it", _own_tags(run))
    _pairs(console, "Figures", {k: f"{v:.4g}" for k, v in _metrics(run).items()})
    _pairs(console, "Settings", dict(run.data.params))
    return 0


def run_compare(where: Place, wanted: Sequence[str], console: Console | None = None) -> int:
    """Shows how runs differ, in figures and in settings; returns the exit code."""
    runs = _runs(where)
    chosen = [_one(runs, one) for one in wanted]
    console = console or Console(highlight=False)
    for title, values in (
        ("Figures", [{k: f"{v:.4g}" for k, v in _metrics(run).items()} for run in chosen]),
        ("Settings", [dict(run.data.params) for run in chosen]),
        ("Code", [_code(run) for run in chosen]),
    ):
        table = _table(title, *(f"{_id(run)}" for run in chosen))
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
        raise _unreachable(where, error) from error
    console.print(f"Delivered {count} entries to MLflow at {where.uri}.", soft_wrap=True)
    for line in refused:
        console.print(f"MLflow refused {line}", soft_wrap=True, markup=False)
    return 0


def _runs(where: Place) -> list[Run]:
    """All runs of the experiment, newest first."""
    if not where.is_used:
        return []
    try:
        client = MlflowClient(where.uri, where.uri)
        experiment = client.get_experiment_by_name(where.experiment)
        if experiment is None:
            return []
        found: list[Run] = []
        token = None
        while True:
            page = client.search_runs(
                [experiment.experiment_id],
                max_results=_MOST,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                return found
    except (MlflowException, OSError) as error:
        raise _unreachable(where, error) from error


def _unreachable(where: Place, error: Exception) -> UserError:
    reason = str(error).strip().partition("\n")[0]
    return UserError(
        f"MLflow at {where.uri} does not answer ({reason}): start it, or set "
        f"{place.URI_VARIABLE} to where it is; nothing of the record is lost"
    )


def _one(runs: Sequence[Run], wanted: str) -> Run:
    top = [run for run in runs if not _parent(run)]
    if wanted == "last" and top:
        return top[0]
    found = [run for run in runs if run.info.run_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"{len(found)} runs begin with {wanted}: give more of the id", EXIT_USAGE)
    known = ", ".join(_id(run) for run in top[:5]) or "none"
    raise UserError(f"no run {wanted} is on record; the last ones: {known}", EXIT_USAGE)


def _is_inside(run: Run, outer: Run, runs: Sequence[Run]) -> bool:
    parents = {one.info.run_id: _parent(one) for one in runs}
    parent = _parent(run)
    while parent and parent != outer.info.run_id:
        parent = parents.get(parent, "")
    return bool(parent)


def _parent(run: Run) -> str:
    return str(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))


def _tree(run: Run, inside: Sequence[Run]) -> Tree:
    branch = Tree(_line(run, run.info.run_name if not _parent(run) else _short(run)))
    for one in reversed(inside):  # oldest first
        if _parent(one) == run.info.run_id:
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
    state = run.data.tags.get("state", run.info.status.lower())
    return "  ".join([f"{_id(run)} {name}", state, _took(run), *told])


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


def _id(run: Run) -> str:
    return str(run.info.run_id[:_SHORT])


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
