"""Who is served worse: both main figures in every slice, with their intervals."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.model_report.pictures.style import BLUE, INK, RED, percent
from components.selector.intervals import intervals
from components.selector.slices import AGE_MAE, GENDER_ACCURACY, OVERALL, Slices, along, words
from schema import features

_DIMENSIONS = ("gender", "race", "race_gender", "age_group", "brightness", "sharpness")
_PICTURE = (features.BRIGHTNESS_LEVEL, features.SHARPNESS_LEVEL)
_ROW = 0.23  # inches

Rows = Mapping[str, float]  # where each slice's row is, from the top


def rows(metrics: Slices) -> dict[str, float]:
    """Where each slice's row is: one below the other, with room between dimensions."""
    places: dict[str, float] = {}
    place = 0.0
    for dimension in _DIMENSIONS:
        for name in along(metrics, dimension):
            places[name] = place
            place += 1
        place += 0.6
    return places


def inches(metrics: Slices) -> tuple[float, float]:
    """How large a figure the slices need."""
    return 9.4, 1.2 + _ROW * (max(rows(metrics).values(), default=0) + 1)


def draw(figure: Figure, metrics: Slices) -> None:
    """Bars of age MAE and gender accuracy, a row per slice; dashed, those of all faces."""
    places = rows(metrics)
    age, gender = figure.subplots(1, 2, sharey=True)
    _panel(age, metrics, places, AGE_MAE, "{:.1f}")
    age.set_xlabel("age MAE, years")
    age.set_yticks(list(places.values()), [_label(metrics, name) for name in places], fontsize=9)
    age.set_ylim(max(places.values(), default=0) + 0.7, -0.7)
    _panel(gender, metrics, places, GENDER_ACCURACY, "{:.1%}")
    gender.set_xlabel("gender accuracy")
    gender.set_xlim(0, 1)
    percent(gender, "x")
    for axes in (age, gender):
        axes.tick_params(axis="y", length=0)


def _panel(axes: Axes, metrics: Slices, places: Rows, figure: str, form: str) -> None:
    values = [metrics[name][figure] for name in places]
    ends = [intervals(metrics[name]).get(figure, (np.nan, np.nan)) for name in places]
    axes.barh(list(places.values()), values, height=0.72, color=BLUE)
    axes.hlines(list(places.values()), *zip(*ends, strict=True), color=INK, linewidth=1.4)
    overall = metrics[OVERALL][figure]
    axes.axvline(overall, color=RED, linestyle="--")
    axes.set_title(f"all faces: {form.format(overall)}", color=RED)
    axes.grid(axis="x")


def _label(metrics: Slices, name: str) -> str:
    column = name.partition("=")[0]
    kind = f" {column.partition('_')[0]}" if column in _PICTURE and "medium" in name else ""
    return f"{words(name)}{kind} ({metrics[name]['examples']:.0f})"
