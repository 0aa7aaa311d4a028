"""How far a figure of so many faces may stray by chance: 95% intervals."""

import math
from collections.abc import Mapping

from scipy import stats  # type: ignore[import-untyped]

CONFIDENCE = 0.95


def intervals(figures: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """95% intervals of the figures of a slice that have one; empty for fewer than two faces.

    Of `age_mae` as of any mean, from its standard error (the mean of squared absolute errors is
    `age_mse`); of `gender_accuracy` Wilson's, sound near 1 and for few faces. TFMA's jackknife
    would measure everything twenty times more.
    """
    count = round(figures.get("examples", 0))
    if count < 2:
        return {}
    mae, accuracy = figures["age_mae"], figures["gender_accuracy"]
    error = math.sqrt(max(figures["age_mse"] - mae**2, 0) / (count - 1))
    reach = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    return {
        "age_mae": (mae - reach, mae + reach),
        "gender_accuracy": share_interval(accuracy * count, count),
    }


def share_interval(hits: float, count: int) -> tuple[float, float]:
    """Wilson's 95% interval (1927) of a share of `hits` among `count`, which is at least 1."""
    found = stats.binomtest(round(hits), count).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)
