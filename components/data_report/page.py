"""The report as one page that needs nothing but itself."""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from components.data_report import charts
from components.data_report.facts import Divergence, Facts
from components.data_report.measures import LABELS
from components.data_report.verdict import Verdict
from components.face_example_gen.ledger import Cell
from components.face_example_gen.rejects import BY_CHOICE, Reason, Reject
from schema import features

NAMED_REJECTS = 5
_NONE = "-"  # in a table, where there is nothing to measure

_PAGE = jinja2.Environment(
    loader=jinja2.PackageLoader("components.data_report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_PICTURES = (features.BRIGHTNESS, features.SHARPNESS)


class Table(NamedTuple):
    """A table with a head; the first cell of each row names it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def render(verdict: Verdict, facts: Facts) -> str:
    """The HTML of the report: no scripts, and nothing loaded from anywhere."""
    return _PAGE.get_template("report.html.j2").render(
        verdict=verdict,
        judged=[rule for rule in verdict.rules if rule.passed is not None],
        others=sorted(
            (rule for rule in verdict.rules if rule.passed is not False),
            key=lambda rule: rule.passed is None,
        ),
        ledger=facts.ledger,
        ages_chart=_ages_chart(facts),
        splits=_splits(facts),
        shares={
            name: _shares(facts, name)
            for name in (features.AGE_GROUP, features.GENDER, features.RACE)
        },
        picture_charts={name: _picture_chart(facts, name) for name in _PICTURES},
        pictures=_pictures(facts),
        balance=_balance(facts),
        rejects=_rejects(facts.rejects),
        conflicts=_conflicts(facts.rejects),
        anomalies=facts.anomalies,
        between_splits=_divergences(facts.between_splits),
        drift=None if facts.drift is None else _divergences(facts.drift),
    )  # fmt: skip


def _code(text: str) -> Markup:
    """Text with what stands between backticks set as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))


_PAGE.filters["code"] = _code


def _of(facts: Facts, split: str) -> Counter[Cell]:
    return Counter({cell: n for cell, n in facts.ledger.used.items() if cell.split == split})


def _sets(facts: Facts) -> list[Counter[Cell]]:
    """The faces of each split, and all of them: the columns of most tables."""
    return [*(_of(facts, split) for split in features.SPLITS), facts.ledger.used]


_SETS = (*features.SPLITS, "all")


def _share(part: float, total: float) -> str:
    return f"{part / total:.1%}" if total else _NONE


def _splits(facts: Facts) -> Table:
    total = facts.ledger.used.total()
    rows: dict[str, Callable[[Counter[Cell]], str]] = {
        "faces": lambda faces: f"{faces.total():,}",
        "share": lambda faces: _share(faces.total(), total),
        "female": lambda faces: _share(
            sum(n for cell, n in faces.items() if cell.gender), faces.total()
        ),
        "mean age": lambda faces: _age(faces, statistics.fmean),
        "median age": lambda faces: _age(faces, statistics.median),
        "youngest": lambda faces: _age(faces, min),
        "oldest": lambda faces: _age(faces, max),
    }
    sets = _sets(facts)
    return Table(("", *_SETS), [(name, *map(cell, sets)) for name, cell in rows.items()])


def _age(faces: Counter[Cell], figure: Callable[[list[int]], float]) -> str:
    ages = [cell.age for cell in faces.elements()]
    return f"{figure(ages):.1f}".removesuffix(".0") if ages else _NONE


def _shares(facts: Facts, name: str) -> Table:
    """The share of each value of a label in each split."""
    label, sets = LABELS[name], _sets(facts)
    columns = []
    for faces in sets:
        counts: Counter = Counter()
        for cell, count in faces.items():
            counts[label.of(cell)] += count
        columns.append([_share(counts[value], faces.total()) for value in label.values])
    return Table(
        (name.replace("_", " "), *_SETS),
        list(zip(map(str, label.values), *columns, strict=True)),
    )


def _ages_chart(facts: Facts) -> str:
    counts: Counter[tuple[int, int]] = Counter()
    for cell, count in facts.ledger.used.items():
        counts[cell.age, cell.gender] += count
    return charts.ages(counts)


def _picture_chart(facts: Facts, name: str) -> str:
    by_split = {split: n[name] for split, n in facts.pictures.items() if name in n}
    return charts.by_split(name, by_split)


def _pictures(facts: Facts) -> Table:
    """The means, medians and extremes of what is measured of the pictures."""
    rows = []
    for name in _PICTURES:
        for what in ("mean", "median", "smallest", "largest"):
            found = (facts.pictures.get(split, {}).get(name) for split in features.SPLITS)
            rows.append(
                (
                    f"{what} {name}",
                    *(f"{getattr(one, what):.2f}" if one else _NONE for one in found),
                )
            )
    return Table(("", *features.SPLITS), rows)


def _balance(facts: Facts) -> Mapping[str, Any] | None:
    """What leaving faces out did to the ages; None when none were."""
    ledger = facts.ledger
    if not ledger.left_out:
        return None
    before, after = (_ages(cells) for cells in (ledger.used + ledger.left_out, ledger.used))
    groups = [features.age_group(age) for age in range(features.MAX_AGE + 1)]
    rows = []
    for group in features.AGE_GROUPS:
        counts = [
            sum(ages[age] for age, name in enumerate(groups) if name == group)
            for ages in (before, after)
        ]
        shares = [_share(n, ages.total()) for n, ages in zip(counts, (before, after), strict=True)]
        rows.append((group, f"{counts[0]:,}", shares[0], f"{counts[1]:,}", shares[1]))
    by_split: Counter[str] = Counter()
    for cell, count in ledger.left_out.items():
        by_split[cell.split] += count
    return {
        "chart": charts.before_and_after(before, after),
        "table": Table(("age group", "before", "share", "after", "share"), rows),
        "count": ledger.left_out.total(),
        "splits": ", ".join(f"{by_split[s]:,} in {s}" for s in features.SPLITS if by_split[s]),
    }


def _ages(cells: Counter[Cell]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for cell, count in cells.items():
        counts[cell.age] += count
    return counts


def _rejects(rejects: Iterable[Reject]) -> list[Mapping[str, Any]]:
    """The reasons, the commonest first, with the first names of each."""
    by_reason: dict[Reason, list[Reject]] = {}
    for reject in rejects:
        by_reason.setdefault(reject.reason, []).append(reject)
    return [
        {
            "reason": reason,
            "by_choice": reason in BY_CHOICE,
            "count": len(found),
            "first": found[:NAMED_REJECTS],
            "more": max(0, len(found) - NAMED_REJECTS),
        }
        for reason, found in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _conflicts(rejects: Iterable[Reject]) -> Mapping[str, int]:
    found = [reject for reject in rejects if reject.reason == Reason.LABEL_CONFLICT]
    return {"files": len(found), "pictures": len({reject.image_sha256 for reject in found})}


def _divergences(found: Sequence[Divergence]) -> list[Mapping[str, Any]]:
    """The rows of a table; the furthest apart, for what is allowed, first."""

    def excess(one: Divergence) -> float:
        return float("-inf") if one.bits is None else -one.bits / max(one.allowed, 1e-9)

    return [
        {"one": one, "passed": one.bits is not None and one.bits <= one.allowed}
        for one in sorted(found, key=excess)
    ]
