"""Answers about faces as JSON lines, CSV or a table."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from pipeline.visible import utf8, visible
from schema import features
from serving.client import Answer
from serving.predictions import Outcome, Region

_BOX: Final = ("left", "top", "width", "height")
_YEARS: Final = (features.OUT_AGE, features.OUT_AGE_LOW, features.OUT_AGE_HIGH)

COLUMNS: Final = ("file", "face", "region", *_BOX, "angle", *features.OUTPUTS)

Write = Callable[[Outcome], None]


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    """A row per face by name, see COLUMNS; one with nothing but the file where no face was found.

    Years are rounded to tenths, the probability to four places.
    """
    if not outcome.answers and not outcome.errors:
        return [dict.fromkeys(COLUMNS) | {"file": utf8(outcome.name)}]
    return [_row(outcome.name, i, *pair) for i, pair in enumerate(outcome.answers, 1)]


@contextmanager
def as_json(stream: TextIO) -> Iterator[Write]:
    """Yields what writes outcomes to `stream`, an object a line; the box is a list of four."""

    def write(outcome: Outcome) -> None:
        for row in rows(outcome):
            place = [row.pop(name) for name in _BOX]
            told = {"file": row.pop("file"), "face": row.pop("face"), "region": row["region"]}
            told["box"] = None if row["region"] is None else place
            _put(stream, json.dumps(told | row) + "\n")

    yield write


@contextmanager
def as_csv(stream: TextIO) -> Iterator[Write]:
    """Yields what writes outcomes to `stream`, one line a row after one of names (RFC 4180)."""
    _put(stream, ",".join(COLUMNS) + "\n")

    def write(outcome: Outcome) -> None:
        for row in rows(outcome):
            line = io.StringIO()
            csv.DictWriter(line, COLUMNS, lineterminator="\n").writerow(row)
            _put(stream, line.getvalue())

    yield write


@contextmanager
def as_table(console: Console) -> Iterator[Write]:
    """Yields what collects outcomes; the table is printed at the end, however it comes."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("file", overflow="fold")
    for name in ("face", "box", "age", "90%", "gender", "", "group"):
        numeric = name in ("face", "age", "90%", "")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)

    def write(outcome: Outcome) -> None:
        for row in rows(outcome):
            table.add_row(*_cells(row))

    try:
        yield write
    finally:
        if table.row_count:
            console.print(table, markup=False)


def _row(name: str, number: int, region: Region, answer: Answer) -> dict[str, Any]:
    asked = answer._asdict()
    for year in _YEARS:
        asked[year] = round(asked[year], 1)
    female = round(asked[features.OUT_FEMALE_PROBABILITY], 4)
    place = dict(zip(_BOX, region.box, strict=True))
    return {
        "file": utf8(name),
        "face": number if region.kind == "face" else None,
        "region": region.kind,
        **place,
        "angle": round(region.angle, 1),
        **asked,
        features.OUT_FEMALE_PROBABILITY: female,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    name = visible(row["file"])
    if row["region"] is None:
        return [name, "", "no face found"]
    female = row[features.OUT_FEMALE_PROBABILITY]
    probability = female if row[features.OUT_GENDER] == features.GENDERS[1] else 1 - female
    age, low, high = (f"{row[name]:.0f}" for name in _YEARS)
    where = "{width}x{height} at {left},{top}".format(**row)
    return [
        name,
        str(row["face"] or ""),
        where if row["region"] == "face" else "whole",
        age,
        f"{low}-{high}",
        row[features.OUT_GENDER],
        f"{probability:.0%}",
        row[features.OUT_AGE_GROUP],
    ]


def _put(stream: TextIO, line: str) -> None:
    # A line at once and out: what is cut short is cut between lines.
    stream.write(line)
    stream.flush()
