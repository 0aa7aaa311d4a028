"""Figures in words: with their intervals, and what to say where there is none."""

from collections.abc import Mapping
from typing import Any

from components.selector import intervals
from components.selector.tables import NONE, number

Figures = Mapping[str, Any]

YEARS, SHARE = "{:.2f}", "{:.1%}"
# Shares of faces, of which the interval follows from their number.
SHARES = frozenset({"age_within_5", "age_within_10", "age_coverage", "age_group_accuracy"})


def count(value: float) -> str:
    """A number of faces or files."""
    return f"{round(value):,}"


def counted(value: float, noun: str) -> str:
    """The same with its noun, as "1 face" or "12 faces"."""
    return f"{count(value)} {noun}{'' if round(value) == 1 else 's'}"


def interval(figures: Figures, name: str) -> tuple[float, float] | None:
    """The 95% interval of a figure of a slice; None where it has none."""
    value, faces = figures.get(name), round(figures.get("examples") or 0)
    if value is None or faces < 2:
        return None
    if name in SHARES:
        return intervals.share_interval(value * faces, faces)
    if any(figures.get(one) is None for one in ("age_mae", "age_mse", "gender_accuracy")):
        return None
    return intervals.intervals(figures).get(name)


def ends(found: tuple[float, float] | None, form: str) -> str:
    """An interval such as "4.91-5.27" or "92.1-93.4%"."""
    if found is None:
        return NONE
    low, high = map(form.format, found)
    return f"{low.removesuffix('%')}-{high}"


def with_interval(figures: Figures, name: str, form: str) -> str:
    """A figure with its interval in brackets, where it has one."""
    value, found = number(figures.get(name), form), interval(figures, name)
    return value if found is None else f"{value} ({ends(found, form)})"
