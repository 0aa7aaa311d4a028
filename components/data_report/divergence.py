"""How much of a divergence chance explains."""

import math

from scipy.stats import chi2  # type: ignore[import-untyped]

# Of the comparisons of equal distributions, the share that may exceed the allowance.
FALSE_ALARMS = 1e-4


def noise(bins: int, faces: int, others: int) -> float:
    """The Jensen-Shannon divergence two samples of one distribution hardly ever exceed, bits.

    To second order the divergence of distributions p and q is the sum of (p - q)^2 / p over the
    bins, by 8 ln 2. For samples of n and m values of one distribution over k bins that sum, by
    1/n + 1/m, follows the chi-square distribution with k - 1 degrees of freedom.

    What comes of the histograms themselves is not in it. TFDV cuts each sample's range into ten
    bars of equal width, so two large samples of one distribution still measure 0.01 to 0.04 bits
    apart when their extremes differ: the thresholds of numeric features must leave room for that.

    Args:
      bins: values or histogram bars, at least 1.
      faces: values in one sample, at least 1.
      others: values in the other, at least 1.
    """
    if bins < 2:
        return 0.0
    quantile = float(chi2.ppf(1 - FALSE_ALARMS, bins - 1))
    return quantile * (1 / faces + 1 / others) / (8 * math.log(2))
