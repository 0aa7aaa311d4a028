"""How all pictures look: quiet, legible at half their size, told apart by the colour-blind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

INK, FAINT = "#1b1f24", "#9aa3ad"
# Okabe and Ito's, as in the data report.
BLUE, RED, GREEN, PURPLE = "#0072b2", "#d55e00", "#008a63", "#b5548a"

HALF, WIDE = (4.6, 3.4), (9.4, 3.4)  # inches
DPI = 120

_STYLE: Any = {
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
}

Draw = Callable[[Figure], None]


def save(path: Path, inches: tuple[float, float], draw: Draw) -> None:
    """Draws a figure and writes it as PNG; the same content gives the same bytes."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def percent(axes: Axes, axis: str) -> None:
    """Shares on an axis ("x" or "y") as percentages."""
    getattr(axes, f"{axis}axis").set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
