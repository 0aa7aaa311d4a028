"""The leaderboard in words: the tables and sentences that page, Markdown and terminal share.

They are made from what `leaderboard.json` holds, see `leaderboard`.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

NONE = "-"
LEGEND = (
    "95%: the interval of the figure before it. ≤5, ≤10: ages off by no more years than that. In "
    "range: true ages within the answered 90% interval. ECE: the expected calibration error of the "
    "female probability. Score: on val, of what is to beat on test; lower is better."
)

Row = Mapping[str, Any]  # of a candidate or the champion
Content = Mapping[str, Any]


class Column(NamedTuple):
    """A heading and what stands below it in a row."""

    heading: str
    cell: Callable[[Row], str]


class Table(NamedTuple):
    """A row per candidate, best first, then the champion's; the first cell names it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(content: Content) -> list[Table]:
    """The tables of all figures: of age, of gender, and of cost and rules."""
    rows = [*content["candidates"], content["champion"]]
    return [
        Table(
            title,
            ("model", *(column.heading for column in columns)),
            [(row["name"], *(column.cell(row) for column in columns)) for row in rows],
        )
        for title, columns in _TABLES.items()
    ]


def summary(content: Content) -> Table:
    """The few figures that are looked at first, with their intervals."""
    rows = [*content["candidates"], content["champion"]]
    return Table(
        "Summary",
        ("", "model", *(column.heading for column in _SUMMARY)),
        [
            (
                str(row.get("rank", "")),
                row["name"],
                *(column.cell(row) for column in _SUMMARY),
            )
            for row in rows
        ],
    )


def verdict(content: Content, row: Row) -> str:
    """What became of a candidate, or what the champion is there for."""
    if "rank" not in row:
        return "to beat"
    if row["name"] != content["winner"]:
        return "passed" if row["passed"] else f"failed {_count(len(row['failed']), 'rule')}"
    return "winner" if content["blessed"] else "winner, not published"


def margins(row: Row) -> list[tuple[bool, str]]:
    """A line per threshold, such as "age MAE 7.42 years: 4.58 under the limit of 12"."""
    lines = []
    for threshold in row["thresholds"].values():
        name, scale, unit, form, far = _FIGURES[threshold["figure"]]
        if threshold["value"] is None:
            lines.append((False, f"{name} is not a number"))
            continue
        value, limit, margin = (scale * threshold[key] for key in ("value", "limit", "margin"))
        side = "at" if value == limit else "over" if value > limit else "under"
        apart = f"{abs(margin):{form}}{far} {side}" if margin else side
        lines.append(
            (
                threshold["passed"],
                f"{name} {value:{form}}{unit}: {apart} the limit of {limit:g}{unit}",
            )
        )
    return lines


def notes(content: Content) -> list[str]:
    """What has to be said of the ranking: who shares a score, and what nobody passing means."""
    said = []
    if content["winner"] is None:
        said.append(
            "None passed: nothing is published, and what is served stays. They are listed by "
            "their score on val."
        )
    for better, worse in pairwise(content["candidates"]):
        alike = better["passed"] == worse["passed"] and better["score"] == worse["score"]
        if alike and better["score"] is not None:
            said.append(
                f"{better['name']} and {worse['name']} have the same score on val: "
                "equal scores rank by name."
            )
    return said


def robustness(report: Mapping[str, Any]) -> Table:
    """What spoilt pictures do, from a model's report (see components.model_report.report)."""
    found = report["robustness"]
    return Table(
        f"Spoilt pictures, {found['faces']:,} test faces",
        ("picture", "", "age MAE", "age shift", "gender accuracy", "in range"),
        [
            (
                row["change"],
                row["strength"],
                number(row["age_mae"], "{:.2f}"),
                number(row["age_shift"], "{:+.2f}"),
                number(row["gender_accuracy"], "{:.1%}"),
                number(row["age_coverage"], "{:.1%}"),
            )
            for row in found["rows"]
        ],
    )


def measured_how(report: Mapping[str, Any]) -> str:
    """How the times came about, in a sentence."""
    speed = report["speed"]
    return (
        f"Latency is the median of {speed['calls']} requests of one picture, the rate that of "
        f"{speed['batches']} batches of {speed['batch']}, on one core ({speed['cpu']}), decoding "
        "included."
    )


def number(value: float | None, form: str) -> str:
    """A number in its form; NONE where there is none."""
    return NONE if value is None else form.format(value)


def _test(name: str, form: str) -> Callable[[Row], str]:
    return lambda row: number(row["test"].get(name), form)


def _interval(name: str, form: str, scale: float = 1.0) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        if name not in row["intervals"]:
            return NONE
        low, high = (form.format(scale * end) for end in row["intervals"][name])
        return f"{low}-{high}"

    return cell


def _both(value: Callable[[Row], str], interval: Callable[[Row], str]) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        found = interval(row)
        return value(row) if found == NONE else f"{value(row)} ({found})"

    return cell


def _model(name: str, form: str) -> Callable[[Row], str]:
    return lambda row: number(row["model"].get(name), form)


def _megabytes(row: Row) -> float | None:
    size = row["model"].get("bytes")
    return None if size is None else size / 1e6


def _time(row: Row) -> str:
    seconds = row["model"].get("training_seconds")
    if seconds is None:
        return NONE
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 99.5 else f"{minutes / 60:.1f} h"


def _weights(row: Row) -> str:
    count = row["model"].get("parameters")
    if count is None:
        return NONE
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count:,}"


def _rules(row: Row) -> str:
    if "rank" not in row:
        return "to beat"
    return "passed" if row["passed"] else f"failed {len(row['failed'])}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


_AUC = Column("AUC", _test("gender_auc", "{:.3f}"))
_LATENCY = Column("one face", _model("latency_ms", "{:.1f} ms"))
_SIZE = Column("size", lambda row: number(_megabytes(row), "{:.1f} MB"))
_SCORE = Column("score", lambda row: number(row["score"], "{:.3f}"))

_TABLES: Mapping[str, tuple[Column, ...]] = {
    "Age, years": (
        Column("MAE", _test("age_mae", "{:.2f}")),
        Column("95%", _interval("age_mae", "{:.1f}")),
        Column("MSE", _test("age_mse", "{:.0f}")),
        Column("RMSE", _test("age_rmse", "{:.2f}")),
        Column("R²", _test("age_r2", "{:.2f}")),
        Column("≤5", _test("age_within_5", "{:.1%}")),
        Column("≤10", _test("age_within_10", "{:.1%}")),
        Column("in range", _test("age_coverage", "{:.1%}")),
    ),
    "Gender": (
        Column("accuracy", _test("gender_accuracy", "{:.1%}")),
        Column("95%", _interval("gender_accuracy", "{:.0f}", 100)),
        _AUC,
        Column("F1", _test("gender_f1", "{:.3f}")),
        Column("precision", _test("gender_precision", "{:.3f}")),
        Column("recall", _test("gender_recall", "{:.3f}")),
        Column("ECE", _test("gender_ece", "{:.3f}")),
    ),
    "Cost and rules": (
        Column("weights", _weights),
        Column("MB", lambda row: number(_megabytes(row), "{:.1f}")),
        Column("p50 ms", _model("latency_ms", "{:.1f}")),
        Column("per s", _model("images_per_second", "{:,.0f}")),
        Column("trained", _time),
        _SCORE,
        Column("rules", _rules),
    ),
}
_SUMMARY = (
    Column("age MAE, years", _both(_test("age_mae", "{:.2f}"), _interval("age_mae", "{:.1f}"))),
    Column(
        "gender accuracy",
        _both(_test("gender_accuracy", "{:.1%}"), _interval("gender_accuracy", "{:.0f}", 100)),
    ),
    _AUC,
    _LATENCY,
    _SIZE,
    _SCORE,
)
# Figure -> its name, what it is multiplied by, its unit, its form, and the unit of a difference.
_FIGURES = {
    "age_mae": ("age MAE", 1, " years", ".2f", ""),
    "gender_accuracy": ("gender accuracy", 100, "%", ".1f", " points"),
    "gender_auc": ("AUC", 1, "", ".3f", ""),
    "parameters": ("weights", 1e-6, " M", ".2f", " M"),
    "latency_ms": ("one face", 1, " ms", ".1f", " ms"),
}
