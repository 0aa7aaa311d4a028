"""What a rule can measure: a registry of plain functions, each from the facts to its figures.

A new measure is a function and its line in MEASURES. Free of TensorFlow.
"""

import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from components.data_report.facts import PICTURE_FEATURES, Divergence, Facts
from components.face_example_gen.ledger import Cell
from schema import features

if TYPE_CHECKING:
    from components.data_report.expectations import Rule

EACH, ALL = "each", "all"

Value = str | int
Unit = Literal["count", "share", "number", "multiple of what is allowed"]
Faces = Mapping[Cell, int]  # how many faces, by split and labels


class Label(NamedTuple):
    """A label feature: the values it can have, by the names rules call them, and a cell's."""

    values: Sequence[Value]
    of: Callable[[Cell], Value]


LABELS: dict[str, Label] = {
    features.AGE: Label(range(features.MIN_AGE, features.MAX_AGE + 1), lambda cell: cell.age),
    features.AGE_GROUP: Label(features.AGE_GROUPS, lambda cell: features.age_group(cell.age)),
    features.GENDER: Label(features.GENDERS, lambda cell: features.GENDERS[cell.gender]),
    features.RACE: Label(features.RACES, lambda cell: features.RACES[cell.race]),
}


class Figure(NamedTuple):
    """One measured value.

    Attributes:
      where: what it was measured on, in words; "" when that is all there is.
      value: None when there was nothing to measure.
      text: the value in words, where its number alone would not do.
    """

    where: str
    value: float | None
    text: str = ""


class Measure(NamedTuple):
    """What can be measured.

    Attributes:
      figures: the measured values; none when the measure does not apply to the data at hand.
      of: the features it can be taken of.
      needs_of: whether a feature must be named.
      combines: whether several can be, and one value of each.
      by_split: whether it can be told which splits to look at.
      unit: how its values are read.
      without: what to say when there are no figures.
    """

    figures: Callable[[Facts, "Rule"], list[Figure]]
    of: Sequence[str] = ()
    needs_of: bool = False
    combines: bool = False
    by_split: bool = True
    unit: Unit = "number"
    without: str = "nothing to measure"


def split_names(splits: str) -> list[str]:
    """The splits a rule looks at one by one; `ALL` is one of them when it asks for that."""
    return list(features.SPLITS) if splits == EACH else [splits]


def _faces(facts: Facts, split: str) -> Counter[Cell]:
    if split == ALL:
        return facts.ledger.used
    return Counter({cell: n for cell, n in facts.ledger.used.items() if cell.split == split})


def _by_split(rule: "Rule", figure: Callable[[str], Iterable[Figure]]) -> list[Figure]:
    """The figures of each split the rule asks for, with the split named where it matters."""
    return [
        one if split == ALL else one._replace(where=" ".join(filter(None, (split, one.where))))
        for split in split_names(rule.splits)
        for one in figure(split)
    ]


def _counts(facts: Facts, rule: "Rule", split: str) -> dict[tuple[Value, ...], int]:
    """How many faces have each combination of values the rule asks for, zeros included."""
    labels = [LABELS[name] for name in rule.features]
    asked = [rule.values] if rule.values else itertools.product(*(label.values for label in labels))
    found: Counter[tuple[Value, ...]] = Counter()
    for cell, count in _faces(facts, split).items():
        found[tuple(label.of(cell) for label in labels)] += count
    return {values: found[values] for values in asked}


def _named(rule: "Rule", values: tuple[Value, ...]) -> str:
    return "" if rule.values else " ".join(map(str, values))


def examples(facts: Facts, rule: "Rule") -> list[Figure]:
    """Faces."""
    return _by_split(
        rule,
        lambda split: (
            Figure(_named(rule, values), count)
            for values, count in _counts(facts, rule, split).items()
        ),
    )


def share(facts: Facts, rule: "Rule") -> list[Figure]:
    """Faces with these labels among the split's."""

    def of_split(split: str) -> Iterable[Figure]:
        total = _faces(facts, split).total()
        for values, count in _counts(facts, rule, split).items():
            yield Figure(_named(rule, values), count / total if total else None)

    return _by_split(rule, of_split)


def _number(name: str, of_ages: Callable[[list[int]], float]) -> Callable:
    """A measure of ages from the ledger, exactly, and of pictures from their statistics."""

    def figures(facts: Facts, rule: "Rule") -> list[Figure]:
        def of_split(split: str) -> Iterable[Figure]:
            if rule.features == (features.AGE,):
                ages = sorted(cell.age for cell in _faces(facts, split).elements())
                yield Figure("", of_ages(ages) if ages else None)
            else:
                numbers = facts.pictures.get(split, {}).get(rule.features[0])
                yield Figure("", getattr(numbers, name) if numbers else None)

        return _by_split(rule, of_split)

    return figures


def split_share(facts: Facts, rule: "Rule") -> list[Figure]:
    """Sound faces in a split among all, before any were left out to balance the data."""
    sound = facts.ledger.used + facts.ledger.left_out
    return [
        Figure(
            split,
            sum(n for cell, n in sound.items() if cell.split == split) / sound.total()
            if sound
            else None,
        )
        for split in split_names(rule.splits)
    ]


def reject_fraction(facts: Facts, _: "Rule") -> list[Figure]:
    """Files that are unfit for use among all; those left out by choice are not."""
    found = facts.ledger.found
    return [Figure("", facts.ledger.unfit / found if found else None)]


def anomalies(facts: Facts, _: "Rule") -> list[Figure]:
    """How many ExampleValidator found, each named."""
    named = [
        f"{one.feature or 'all'} in {one.split}: {one.what.rstrip('.')}" for one in facts.anomalies
    ]
    return [Figure("", len(named), "; ".join([f"{len(named)}", *named]) if named else "none")]


def _divergences(found: Iterable[Divergence]) -> list[Figure]:
    return [
        Figure(f"{one.feature} of {one.pair}", None, "could not be compared")
        if one.bits is None
        else Figure(
            f"{one.feature} of {one.pair}",
            one.bits / max(one.allowed, 1e-9),
            f"{one.bits:.4f} bits ({one.allowed:.4f} allowed)",
        )
        for one in found
    ]


def split_divergence(facts: Facts, _: "Rule") -> list[Figure]:
    """Between splits, as a multiple of what is allowed."""
    return _divergences(facts.between_splits)


def drift(facts: Facts, _: "Rule") -> list[Figure]:
    """From the last accepted data, as a multiple of what is allowed."""
    return _divergences(facts.drift or ())


_NUMBERS = (features.AGE, *PICTURE_FEATURES)

MEASURES: dict[str, Measure] = {
    "examples": Measure(examples, of=tuple(LABELS), combines=True, unit="count"),
    "share": Measure(share, of=tuple(LABELS), needs_of=True, combines=True, unit="share"),
    "mean": Measure(_number("mean", statistics.fmean), of=_NUMBERS, needs_of=True),
    "median": Measure(_number("median", statistics.median), of=_NUMBERS, needs_of=True),
    "smallest": Measure(_number("smallest", min), of=_NUMBERS, needs_of=True),
    "largest": Measure(_number("largest", max), of=_NUMBERS, needs_of=True),
    "split_share": Measure(split_share, unit="share"),
    "reject_fraction": Measure(reject_fraction, by_split=False, unit="share"),
    "anomalies": Measure(anomalies, by_split=False, unit="count"),
    "split_divergence": Measure(
        split_divergence,
        by_split=False,
        unit="multiple of what is allowed",
        without="no feature is compared between splits",
    ),
    "drift": Measure(
        drift,
        by_split=False,
        unit="multiple of what is allowed",
        without="no earlier data to compare with",
    ),
}
