"""Age: what is answered at which age, and how far off it is."""

import numpy as np
from matplotlib.figure import Figure

from components.model_report.answers import Answers
from components.model_report.pictures.style import BLUE, FAINT, INK, RED, percent
from components.selector.intervals import intervals, share_interval
from components.selector.slices import OVERALL, Slices, along, words
from schema import features

COVERAGE = 0.9  # what the servable promises of its intervals
LARGEST_ERROR = 40  # years, that still has a bar of its own


def scatter(figure: Figure, found: Answers) -> None:
    """Every face: its true age and the one answered, years."""
    axes = figure.add_subplot()
    limits = (features.MIN_AGE, features.MAX_AGE)
    # The more faces, the fainter each: thousands make a cloud, hundreds can be counted.
    alpha = float(np.clip(150 / len(found), 0.08, 0.5))
    axes.plot(limits, limits, color=FAINT, linestyle=":")
    axes.scatter(found.true_age, found.age, s=12, color=BLUE, alpha=alpha, linewidths=0)
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    axes.set_xlabel("true age, years")
    axes.set_ylabel("answered age, years")
    axes.grid()


def errors(figure: Figure, found: Answers) -> None:
    """How many faces are taken for how much too old or too young."""
    error = np.clip(found.error, -LARGEST_ERROR, LARGEST_ERROR)
    axes = figure.add_subplot()
    edges = list(range(-LARGEST_ERROR - 1, LARGEST_ERROR + 2, 2))
    axes.hist(error, bins=edges, color=BLUE)
    axes.axvline(0, color=INK, linewidth=0.8)
    low, middle, high = np.nanquantile(found.error, [0.05, 0.5, 0.95])
    axes.axvline(middle, color=RED, linewidth=1.8, label=f"median {middle:+.1f}")
    for end, label in ((low, f"9 of 10: {low:+.1f} to {high:+.1f}"), (high, None)):
        axes.axvline(end, color=RED, linewidth=1.2, linestyle="--", label=label)
    axes.set_xlabel("answered less true age, years")
    axes.set_ylabel("faces")
    axes.grid(axis="y")
    axes.legend(loc="upper right", fontsize=9)
    axes.set_ylim(top=axes.get_ylim()[1] * 1.25)  # room for the legend


def by_group(figure: Figure, metrics: Slices) -> None:
    """The mean absolute error of each true age group with its 95% interval."""
    names = along(metrics, features.AGE_GROUP)
    values = np.array([metrics[name]["age_mae"] for name in names])
    ends = [intervals(metrics[name]).get("age_mae", (np.nan, np.nan)) for name in names]
    reach = np.array([high - low for low, high in ends]) / 2
    axes = figure.add_subplot()
    axes.bar(range(len(names)), values, color=BLUE, width=0.72)
    axes.errorbar(
        range(len(names)), values, np.nan_to_num(reach), fmt="none", ecolor=INK, capsize=2.5
    )
    overall = metrics[OVERALL]["age_mae"]
    axes.axhline(overall, color=RED, linestyle="--", label=f"all faces: {overall:.1f}")
    labels = [f"{words(name)}\n({metrics[name]['examples']:.0f})" for name in names]
    axes.set_xticks(range(len(names)), labels, fontsize=9)
    axes.set_xlabel("true age group, years (faces)")
    axes.set_ylabel("age MAE, years")
    axes.grid(axis="y")
    axes.legend()


def coverage(figure: Figure, metrics: Slices) -> None:
    """How many true ages the intervals hold, by the age group that was answered."""
    names = along(metrics, features.PREDICTED_AGE_GROUP)
    values = np.array([metrics[name]["age_coverage"] for name in names])
    sizes = [round(metrics[name]["examples"]) for name in names]
    ends = [share_interval(share * n, n) for share, n in zip(values, sizes, strict=True)]
    axes = figure.add_subplot()
    places = range(len(names))
    axes.hlines(places, *zip(*ends, strict=True), color=BLUE, linewidth=1.4)
    axes.plot(values, places, "o", color=BLUE)
    axes.axvline(COVERAGE, color=RED, linestyle="--")
    axes.set_title(f"promised: {COVERAGE:.0%}", color=RED)
    labels = [f"{words(name)} ({n})" for name, n in zip(names, sizes, strict=True)]
    axes.set_yticks(places, labels, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(min([0.5, *(low for low, _ in ends)]) - 0.02, 1.02)
    axes.set_xlabel("true ages in range")
    axes.set_ylabel("answered age group (faces)")
    percent(axes, "x")
    axes.grid(axis="x")
