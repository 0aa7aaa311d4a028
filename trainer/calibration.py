"""Honest uncertainty from the calib split, which training never sees.

Ages: conformalised quantiles (Romano et al. 2019) and, where a head gives no quantiles, split
conformal prediction (Lei et al. 2018), which is the same with both quantiles at the answer; group
by group of predicted age (Vovk et al. 2003). Gender: temperature scaling (Guo et al. 2017).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]
from scipy.special import expit  # type: ignore[import-untyped]

from schema import features
from trainer.metrics import calibration_error, log_loss

COVERAGE = 0.9
# Of an age distribution, how much may lie below the interval that is corrected, and as much above.
# Distributions learned from smoothed labels are too wide, and what is cut off at age 0 cannot be
# drawn in: an inner interval that has to grow can end up narrower than an outer one that shrinks.
LOW_SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
POINT = 0.5  # both ends of the interval at the answer itself
# Faces below which a group is calibrated with its neighbour: of 150 faces, coverage that is 0.9 on
# average falls under 0.85 once in 40 draws of the calib split (Beta(136, 15)).
SMALLEST_GROUP = 150
_TEMPERATURES = (0.1, 10.0)

Floats = npt.NDArray[np.floating]


class Fitted(BaseModel):
    """A frozen part of calibration.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AgeCalibration(Fitted):
    """How intervals of age are widened, by group of predicted age.

    Attributes:
      method: how.
      coverage: the share of faces whose age the intervals hold.
      low_share: of the age distribution, below the interval that is corrected, and above it.
      bounds: predicted ages, years, at which a further group begins.
      corrections: years by which each group's intervals grow at either end, [len(bounds) + 1].
      faces: of the calib split in each group.
    """

    method: Literal["conformalised quantiles", "split conformal"]
    coverage: float = COVERAGE
    low_share: float
    bounds: tuple[float, ...]
    corrections: tuple[float, ...]
    faces: tuple[int, ...]


class GenderCalibration(Fitted):
    """The temperature, and what it did to log loss (nats) and calibration error on calib."""

    temperature: float
    faces: int
    log_loss_before: float
    log_loss_after: float
    ece_before: float
    ece_after: float


class Calibration(Fitted):
    """What calibration.json holds, for what a model answers."""

    age: AgeCalibration | None = None
    gender: GenderCalibration | None = None


def conformal_quantile(scores: Floats, coverage: float = COVERAGE) -> float:
    """The score that a new one stays within with at least the given probability.

    The k-th smallest of n, with k = ceil((n + 1) * coverage). Where n is too small for that, no
    finite score will do: then all ages there are.

    Args:
      scores: in years, of faces of the same kind, [n].
      coverage: between 0 and 1.
    """
    # The product of floats may lie a rounding error above a whole number.
    rank = int(np.ceil(round((len(scores) + 1) * coverage, 9)))
    if rank > len(scores):
        return float(features.MAX_AGE)
    return float(np.partition(scores, rank - 1)[rank - 1])


def fit_age(
    true: Floats,
    predicted: Floats,
    low: Floats,
    high: Floats,
    low_share: float,
    bounds: Sequence[float],
    smallest: int = SMALLEST_GROUP,
) -> AgeCalibration:
    """The corrections of age intervals.

    Args:
      true: ages in years, [n], n >= 1, as all others.
      predicted: ages in years.
      low: of the uncalibrated intervals, years; the predicted age where there are none.
      high: likewise.
      low_share: how much of the age distribution is below `low`; POINT where there is none.
      bounds: predicted ages at which groups begin, ascending.
      smallest: faces below which a group is joined with its smaller neighbour.

    Raises:
      ValueError: when there is nothing to calibrate on.
    """
    if not len(true):
        raise ValueError("no examples in the calib split")
    kept = merged(predicted, bounds, smallest)
    group = _groups(predicted, kept)
    scores = np.maximum(low - true, true - high)
    by_group = [scores[group == index] for index in range(len(kept) + 1)]
    return AgeCalibration(
        method="split conformal" if low_share == POINT else "conformalised quantiles",
        low_share=low_share,
        bounds=kept,
        corrections=tuple(conformal_quantile(one) for one in by_group),
        faces=tuple(len(one) for one in by_group),
    )


def merged(predicted: Floats, bounds: Sequence[float], smallest: int) -> tuple[float, ...]:
    """The bounds left when groups of too few predicted ages are joined with their neighbours."""
    kept = [float(bound) for bound in bounds]
    while kept:
        sizes = np.bincount(_groups(predicted, kept), minlength=len(kept) + 1)
        least = int(sizes.argmin())
        if sizes[least] >= smallest:
            break
        younger = sizes[least - 1] if least else np.inf
        older = sizes[least + 1] if least < len(kept) else np.inf
        kept.pop(least - 1 if younger <= older else least)
    return tuple(kept)


def _groups(ages: Floats, bounds: Sequence[float]) -> npt.NDArray[np.integer]:
    return np.searchsorted(np.asarray(bounds, np.float32), ages.astype(np.float32), side="right")


def fit_gender(female: Floats, logits: Floats) -> GenderCalibration:
    """The temperature that logits are divided by so that their log loss is least.

    Args:
      female: 1.0 or 0.0, [n], n >= 1.
      logits: of "female", [n].

    Raises:
      ValueError: when there is nothing to calibrate on.
    """
    if not len(female):
        raise ValueError("no examples in the calib split")
    found = minimize_scalar(
        lambda log: log_loss(female, logits / np.exp(log)),
        bounds=np.log(_TEMPERATURES),
        method="bounded",
    )
    temperature = float(np.exp(found.x))
    cooled = logits / temperature
    return GenderCalibration(
        temperature=temperature,
        faces=len(female),
        log_loss_before=log_loss(female, logits),
        log_loss_after=log_loss(female, cooled),
        ece_before=calibration_error(female, expit(logits)),
        ece_after=calibration_error(female, expit(cooled)),
    )
