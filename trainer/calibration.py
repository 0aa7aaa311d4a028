"""Honest uncertainty from the calib split, which training never sees."""

import numpy as np

COVERAGE = 0.9


def conformal_half_width(ages: np.ndarray, predicted: np.ndarray) -> float:
    """Half the width, in years, of intervals that hold 90% of true ages.

    Split-conformal prediction (Lei et al. 2018): the k-th smallest absolute residual of n, with
    k = ceil((n + 1) * 0.9), gives at least that coverage on faces of the same kind.

    Args:
      ages: true ages in years, [n], n >= 1.
      predicted: predicted ages in years, [n].

    Raises:
      ValueError: when there is nothing to calibrate on.
    """
    if len(ages) == 0:
        raise ValueError("no examples in the calib split")
    residuals = np.sort(np.abs(ages - predicted))
    rank = int(np.ceil((len(residuals) + 1) * COVERAGE))
    return float(residuals[min(rank, len(residuals)) - 1])
