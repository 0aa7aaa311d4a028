"""`agegender explain`: where a served version came from, on a terminal."""

import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import publications
from pipeline.errors import UserError
from pipeline.lineage import Data, Gate, Lineage, Standing, Trace, lineage
from pipeline.publications import local_time
from pipeline.report import near
from pipeline.trainings import Training
from serving import versions
from trainer import trials

GONE = "not kept any more"
SHOWN = 16  # characters of a digest

Facts = Iterator[tuple[str, str]]

# Figure -> its name and form.
_FIGURES = {
    "age_mae": ("age MAE, years", "{:.2f}"),
    "age_rmse": ("age RMSE, years", "{:.2f}"),
    "age_within_5": ("within 5 years", "{:.1%}"),
    "age_within_10": ("within 10 years", "{:.1%}"),
    "age_coverage": ("in its range", "{:.1%}"),
    "age_interval_width": ("range's width", "{:.1f}"),
    "gender_accuracy": ("gender accuracy", "{:.1%}"),
    "gender_auc": ("gender AUC", "{:.3f}"),
    "gender_ece": ("gender ECE", "{:.3f}"),
}


def run_explain(
    workdir: Path,
    version: int | None,
    serving_dir: Path | None,
    as_json: bool,
    console: Console | None = None,
) -> int:
    """Prints where a version came from; returns the exit code.

    Args:
      workdir: of the run that published it.
      version: which; the newest that is served if None.
      serving_dir: where it is served, if not in `workdir`.
      as_json: print all of it as JSON.
      console: where to.

    Raises:
      UserError: when it is not there or not on record; the message says what is known.
    """
    store = publications.open_existing(workdir)
    model_dir = publications.model_folder(workdir, serving_dir)
    if version is None:
        newest = versions.latest(model_dir)
        if newest is None:
            raise UserError(f"{model_dir}: nothing is served; --serving-dir names another folder")
        version = int(newest.name)
    found = lineage(store, model_dir, version)
    if as_json:
        sys.stdout.write(found.to_json() + "\n")
    else:
        show(console or Console(highlight=False), found)
    return 0


def show(console: Console, found: Lineage) -> None:
    """Everything, section by section."""
    _section(console, f"Version {found.version}", _published(found))
    _section(console, "Data", _data(found.data))
    for place, one in enumerate(found.models):
        _section(console, f"Training of {one.name}", _training(one, found.models[:place]))
    _section(console, "Judged", _judged(found.standing))
    _figures(console, found)
    _section(console, "Calibration", _calibration(found.calibration))
    check = "passed" if found.check.passed else f"failed: {found.check.reason}"
    log = _path(found.check.log)
    _section(console, "ServableCheck", iter([("outcome", check), ("log", log)]))
    _traces(console, found.traces)


def _section(console: Console, title: str, facts: Facts) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim", min_width=14)
    table.add_column(overflow="fold")
    for name, said in facts:
        table.add_row(f"  {name}", Text(said))
    console.print(Text(title, "bold"))
    console.print(table)
    console.print()


def _published(found: Lineage) -> Facts:
    publication = found.origin.publication
    yield "folder", _path(found.folder)
    yield "content", publication.content_digest[:SHOWN]
    for one in found.origin.rollbacks:
        when = f"{local_time(one.at)}, execution {one.execution_id}"
        yield "rolled back", f"to version {one.source_version} by {one.who}, {when}: {one.why}"
    if found.origin.copied:
        yield "number", f"nobody on record; its content is that of version {publication.version}"
    if publication.version != found.version:
        yield "explained", f"version {publication.version}, whose content it is"
    yield "published", local_time(publication.at)
    yield "by run", publication.run
    families = " and ".join(dict.fromkeys(one.family for one in found.models))
    plain = families == found.candidate
    yield "candidate", found.candidate if plain else f"{found.candidate} ({families})"


def _data(data: Data) -> Facts:
    yield "source", data.source
    if data.labels:
        yield "labels", data.labels
    yield "fingerprint", data.fingerprint[:SHOWN]
    limit = f", of at most {data.limit:,}" if data.limit else ""
    yield "files", f"{data.found:,} found{limit}, {data.used:,} used, {data.rejected:,} rejected"
    yield "rejected", GONE if data.reasons is None else _counts(data.reasons) or "none"
    yield "splits", GONE if data.splits is None else _counts(data.splits)
    yield "gate", _gate(data.gate) if data.gate else "none in that run"
    if data.gate:
        yield "report", _path(data.gate.report)
    yield "schema", _path(data.schema)
    yield "pictures", f"stored as {data.store_size} x {data.store_size} pixels"


def _gate(gate: Gate) -> str:
    if gate.passed:
        return "passed"
    names = f" ({', '.join(gate.violated)})" if gate.violated else ""
    rules = f"{gate.count} rule{'' if gate.count == 1 else 's'} violated{names}"
    return f"{rules}; accepted by {gate.accepted_by}: {gate.reason}"


def _training(one: Training, earlier: tuple[Training, ...]) -> Facts:
    facts = {
        "{:.1f} s": one.seconds,
        "{} epochs": one.epochs,
        "{:,} parameters": one.parameters,
        "{}": one.precision,
    }
    known = [form.format(value) for form, value in facts.items() if value is not None]
    yield "training", ", ".join([*known, f"seed {one.seed}"])
    if not known:
        yield "its folder", GONE
    if one.search is None:
        yield "values from", one.hyperparameters_from or GONE
    else:
        search = one.search
        by = f", {search.algorithm}" if search.algorithm else ""
        failed = f", {search.failed} failed" if search.failed else ""
        row = trials.Trial.model_construct(None, **search.row) if search.row else None
        ours = ": what is checked in" if row and trials.is_checked_in(row) else ""
        yield "values from", f"trial {search.trial} of {search.trials}{by}{failed}{ours}"
        yield "the trial", _trial(row) if row else GONE
    if one.hyperparameters is None:
        yield "values", GONE
        return
    for other in earlier:
        if other.hyperparameters == one.hyperparameters:
            yield "values", f"those of {other.name}"
            return
    yield from _values(one.hyperparameters, one.family)


def _trial(row: trials.Trial) -> str:
    told = trials.told_values(row.hyperparameters)
    return f"{trials.told(row)}; {', '.join(f'{name} {value}' for name, value in told.items())}"


def _values(hyperparameters: Mapping[str, Any], family: str) -> Facts:
    """A line for the plain ones, and one for each group that the family has a use for."""
    groups = {key: one for key, one in hyperparameters.items() if isinstance(one, Mapping)}
    plain = {key: one for key, one in hyperparameters.items() if key not in groups}
    yield "values", _named(plain)
    for name, group in groups.items():
        if name != "transfer" or family == "transfer":
            yield name, _named(group)


def _named(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(map(str, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _judged(standing: Standing) -> Facts:
    rank = standing.row["rank"] if standing.row else None
    of = f"of {standing.candidates} candidate{'' if standing.candidates == 1 else 's'}"
    score = f", score {standing.row['score']:.3f} on val" if standing.row else ""
    yield "rank", f"{rank} {of}{score}" if rank else f"{of}; the leaderboard is {GONE}"
    version = standing.champion_version
    champion = f"version {version}" if version else "the constant predictor"
    theirs = standing.champion["score"] if standing.champion else None
    against = f", score {theirs:.3f} on test" if theirs is not None else ""
    yield "against", f"{champion}{against}"
    yield "decision", standing.decision
    limits = {name: limit for name, limit in standing.thresholds.items() if limit is not None}
    yield "thresholds", _named(limits)
    yield "leaderboard", _path(standing.page)


def _figures(console: Console, found: Lineage) -> None:
    row = found.standing.row or {}
    val: Mapping[str, Any] = row.get("val") or {
        key: value for one in found.models for key, value in (one.val or {}).items()
    }
    test, champion = row.get("test", {}), (found.standing.champion or {}).get("test", {})
    limits = {one["figure"]: one for one in row.get("thresholds", {}).values()}
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("figure", no_wrap=True)
    for heading in ("val", "test", "95%", "limit", "margin", "champion"):
        table.add_column(heading, justify="right", no_wrap=True)
    for key, (name, form) in _FIGURES.items():
        interval = row.get("intervals", {}).get(key, ())
        cells = [
            _number(val.get(key), form),
            _number(test.get(key), form),
            " to ".join(_number(end, form) for end in interval),
            *(_number(limits.get(key, {}).get(what), form) for what in ("limit", "margin")),
            _number(champion.get(key), form),
        ]
        table.add_row(name, *cells)
    if not row:
        console.print(f"Figures on test: {GONE}")
    console.print(table)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _calibration(found: Mapping[str, Any] | None) -> Facts:
    if found is None:
        yield "fitted", GONE
        return
    if age := found.get("age"):
        yield "age", f"{age['method']}, {age['coverage']:.0%} of ages in range"
        starts = ["any age", *(f"from {bound:g}" for bound in age["bounds"])]
        moved = zip(starts, age["corrections"], age["faces"], strict=True)
        yield (
            "moved by",
            ", ".join(
                f"{start} {years:+.1f} years ({faces:,} faces)" for start, years, faces in moved
            ),
        )
    if gender := found.get("gender"):
        yield "gender", f"temperature {gender['temperature']:.3f} ({gender['faces']:,} faces)"
        for name, what in (("log loss", "log_loss"), ("ECE", "ece")):
            yield name, f"{gender[f'{what}_before']:.4f}, then {gender[f'{what}_after']:.4f}"


def _traces(console: Console, traces: tuple[Trace, ...]) -> None:
    """What to look for in ML Metadata, run by run."""
    console.print(Text("In ML Metadata", "bold"))
    for run, group in groupby(sorted(traces, key=lambda one: one.run), lambda one: one.run):
        table = Table(title=f"run {run}", title_justify="left", box=None, padding=(0, 1, 0, 0))
        table.add_column("  node", no_wrap=True)
        table.add_column("exec.", justify="right", no_wrap=True)
        table.add_column("artifacts")
        table.add_column("code", no_wrap=True)
        records: dict[str, list[str]] = {}
        for one in group:
            ids = ", ".join(_artifact(artifact) for artifact in one.artifacts.values())
            table.add_row(f"  {one.node}", str(one.execution_id), ids, one.code_fingerprint or "")
            if one.mlflow_record:
                records.setdefault(one.mlflow_record, []).append(one.node)
        console.print(table)
        for record, nodes in records.items():
            console.print(f"  MLflow record {record}: {', '.join(nodes)}", markup=False)
    if any(not artifact["kept"] for one in traces for artifact in one.artifacts.values()):
        console.print(f"  * its folder is {GONE}")


def _artifact(artifact: Mapping[str, Any]) -> str:
    return f"{artifact['id']}{'' if artifact['kept'] else '*'}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _path(path: str | None) -> str:
    return GONE if path is None else str(near(Path(path)))
