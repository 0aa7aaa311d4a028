"""Gender: who is taken for whom, how well the two are told apart, what a probability is worth."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from components.model_report.answers import Answers
from components.model_report.pictures.style import BLUE, FAINT, INK, RED, percent
from components.selector.intervals import share_interval
from schema import features
from trainer.metrics import by_probability, equal_mass_bins

BINS = 10  # of the reliability diagram

Floats = npt.NDArray[np.floating]


def confusion(figure: Figure, found: Answers) -> None:
    """Faces by true and by answered gender, and their shares of the true one's."""
    truth, answer = found.female.astype(int), found.taken_for_female.astype(int)
    counts = np.zeros((2, 2), int)
    np.add.at(counts, (truth, answer), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(2):
        for column in range(2):
            axes.text(
                column, row, f"{shares[row, column]:.1%}\n{counts[row, column]:,}",
                ha="center", va="center", fontsize=15,
                color="white" if shares[row, column] > 0.5 else INK,
            )  # fmt: skip
    axes.set_xticks([0, 1], features.GENDERS)
    axes.set_yticks([0, 1], features.GENDERS, rotation=90, va="center")
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def roc(figure: Figure, found: Answers, auc: float) -> None:
    """The share of women found against that of men taken for women, at every threshold.

    Args:
      figure: to draw on.
      found: labels and answers.
      auc: the area under it, as the Evaluator measured it.
    """
    wrong, right = roc_curve(found.female, found.female_probability)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":", label="by chance")
    if len(wrong):
        axes.plot(wrong, right, color=BLUE, linewidth=2, label=f"AUC {auc:.3f}")
        men, women = found.taken_for_female[~found.female], found.taken_for_female[found.female]
        axes.plot(men.mean(), women.mean(), "o", color=RED, label="as answered")
    axes.set_xlabel("men taken for women")
    axes.set_ylabel("women found")
    axes.set_aspect("equal")
    percent(axes, "x")
    percent(axes, "y")
    axes.grid()
    axes.legend(loc="lower right")


def roc_curve(female: npt.NDArray[np.bool_], probability: Floats) -> tuple[Floats, Floats]:
    """Points of the ROC curve, from (0, 0) to (1, 1); none where all are of one gender.

    Returns:
      The shares of men and of women whose probability of "female" is at least a threshold, for
      every threshold from the highest.
    """
    if female.all() or not female.any():
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-probability, kind="stable")
    # Faces of equal probability pass a threshold together.
    last = np.append(np.diff(probability[order]) != 0, True)
    shares = []
    for truth in (~female, female):
        passed = np.cumsum(truth[order])[last]
        shares.append(np.concatenate([[0.0], passed / passed[-1]]))
    return shares[0], shares[1]


def reliability(figure: Figure, found: Answers, ece: float) -> None:
    """Of faces that were given like probabilities of "female", how many are women.

    Args:
      figure: to draw on.
      found: labels and answers.
      ece: the expected calibration error, as the Evaluator measured it.
    """
    known = np.isfinite(found.female_probability)
    by_step = by_probability(found.female[known].astype(float), found.female_probability[known])
    sizes, given, women = equal_mass_bins(*by_step, min(BINS, len(found)))
    x, y = given / sizes, women / sizes
    ends = [
        share_interval(hits, max(round(size), 1)) for hits, size in zip(women, sizes, strict=True)
    ]
    low, high = (np.array(side) for side in zip(*ends, strict=True))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":", label="as good as promised")
    axes.errorbar(
        x, y, [np.maximum(y - low, 0), np.maximum(high - y, 0)],
        fmt="o-", color=BLUE, linewidth=1.4, capsize=2.5, label=f"ECE {ece:.3f}",
    )  # fmt: skip
    axes.set_ylabel("are women")
    axes.set_ylim(-0.03, 1.03)
    percent(axes, "y")
    axes.grid()
    axes.legend(loc="upper left")
    below.hist(found.female_probability, bins=20, range=(0, 1), color=FAINT)
    below.set_xlabel("answered female probability")
    below.set_ylabel("faces")
    percent(below, "x")
