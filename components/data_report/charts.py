"""The report's charts as SVG to set into a page: its colours and fonts are the page's."""

import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from components.data_report.facts import Numbers
from schema import features

# The page says what each of these is, by day and by night: see --ink, --faint and --c0... in it.
_INK, _FAINT = "#010203", "#010204"
_SERIES = ("#010205", "#010206", "#010207", "#010208")
_VARIABLES = {_INK: "--ink", _FAINT: "--faint"} | {c: f"--c{i}" for i, c in enumerate(_SERIES)}

# Told apart without their colours, too.
_DASHES = ("-", "--", ":", "-.")

_WIDE, _HALF = (6.4, 3.0), (4.4, 2.8)  # inches of 72 units: about the pixels on a phone
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": features.MODEL_NAME,
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "grid.color": _FAINT,
    "grid.linewidth": 0.4,
}

AgesByGender = Mapping[tuple[int, int], int]  # faces by age in years and gender


def ages(faces: AgesByGender) -> str:
    """Faces per year of age, women upwards and men downwards."""

    def draw(axes: Axes) -> None:
        for gender, sign in ((1, 1), (0, -1)):
            heights = [sign * faces.get((age, gender), 0) for age in _years()]
            name = features.GENDERS[gender]
            axes.bar(_years(), heights, width=0.8, color=_SERIES[gender], label=name)
        axes.axhline(0, color=_INK, linewidth=0.6)
        axes.legend(loc="upper right")
        _age_axis(axes)

    return _svg("ages", _WIDE, draw)


def bars(name: str, labels: Sequence[str], faces: Mapping[tuple[str, int], int]) -> str:
    """Faces by label and gender, women beside men."""

    def draw(axes: Axes) -> None:
        for gender, shift in ((1, -0.2), (0, 0.2)):
            heights = [faces.get((label, gender), 0) for label in labels]
            places = [place + shift for place in range(len(labels))]
            title = features.GENDERS[gender]
            axes.bar(places, heights, width=0.38, color=_SERIES[gender], label=title)
        axes.set_xticks(range(len(labels)), labels)
        axes.legend(loc="upper right")
        _face_axis(axes)

    return _svg(name, _WIDE, draw)


def before_and_after(before: Counter[int], after: Counter[int]) -> str:
    """Faces per year of age before and after some were left out."""

    def draw(axes: Axes) -> None:
        for counts, colour, label in ((before, _FAINT, "before"), (after, _SERIES[0], "after")):
            heights = [counts[age] for age in _years()]
            axes.bar(_years(), heights, width=0.8, color=colour, label=label)
        axes.legend()
        _age_axis(axes)

    return _svg("balance", _WIDE, draw)


def by_split(name: str, numbers: Mapping[str, Numbers]) -> str:
    """The density of a picture's property, a line for each split."""

    def draw(axes: Axes) -> None:
        for split, colour, dashes in zip(features.SPLITS, _SERIES, _DASHES, strict=True):
            bars = numbers[split].histogram if split in numbers else ()
            total = sum(bar.faces for bar in bars)
            if not total or any(bar.high <= bar.low for bar in bars):
                continue
            axes.stairs(
                [bar.faces / total / (bar.high - bar.low) for bar in bars],
                [bars[0].low, *(bar.high for bar in bars)],
                color=colour, linestyle=dashes, linewidth=1.6, label=split, baseline=None,
            )  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_xlabel(name)
        axes.set_ylabel("density")
        if axes.patches:
            axes.legend(handlelength=2.6)

    return _svg(name, _HALF, draw)


def _years() -> Sequence[int]:
    return range(features.MIN_AGE, features.MAX_AGE + 1)


def _age_axis(axes: Axes) -> None:
    axes.set_xlim(features.MIN_AGE - 1, features.MAX_AGE + 1)
    axes.set_xlabel("age, years")
    _face_axis(axes)


def _face_axis(axes: Axes) -> None:
    axes.set_ylabel("faces")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{abs(count):,.0f}"))
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _svg(name: str, inches: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    """A chart drawn by `draw`; `name` must be the page's only one."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return _for_page(name, buffer.getvalue())


def _for_page(name: str, svg: str) -> str:
    """Takes out what belongs to a file of its own, and makes ids the page's only ones."""
    start, inside = svg[svg.index("<svg") :].split(">", 1)
    view_box = re.findall(r'viewBox="[^"]*"', start)[0]
    inside = re.sub(r"<style.*?</style>", "", inside, flags=re.DOTALL)
    inside = re.sub(r"font-family: [^;]*;", "", inside)
    inside = re.sub(r'\bid="', f'id="{name}-', inside)
    inside = inside.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    for colour, variable in _VARIABLES.items():
        inside = inside.replace(colour, f"var({variable})")
    return f'<svg {view_box} aria-hidden="true">{inside}'
