"""Weights by which rare ages count more in the age loss.

Label distribution smoothing (Yang et al. 2021, "Delving into Deep Imbalanced Regression"): a face
counts in inverse proportion to how often its age, or one near it, occurs.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d  # type: ignore[import-untyped]

from schema import features

SIGMA = 2.0  # years, as in the paper
# Against the mean, before the mean is set to 1: no age is thrown away, and no single face rules.
LIMITS = (0.1, 10.0)


def age_weights(
    ages: npt.NDArray[np.floating], how: Literal["inverse", "sqrt_inverse"]
) -> npt.NDArray[np.float32]:
    """The weight of every year of age, float32 [117]; over `ages` their mean is 1.

    Args:
      ages: of the train faces, years, [n], n >= 1.
      how: `inverse` weighs by 1 / frequency, `sqrt_inverse` by its square root, which is milder.
    """
    years = np.rint(ages).astype(np.int64)
    counts = np.bincount(years, minlength=features.MAX_AGE + 1)
    # Reflected at the ends: there are no faces below age 0 to dilute the many at 1.
    density = gaussian_filter1d(counts.astype(np.float64), SIGMA, mode="reflect")
    density = np.maximum(density, 1e-9)  # of a face: as good as never
    weights = density ** (-1.0 if how == "inverse" else -0.5)
    weights = np.clip(weights / weights[years].mean(), *LIMITS)
    return (weights / weights[years].mean()).astype(np.float32)
