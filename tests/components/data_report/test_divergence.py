import numpy as np
import pytest
from scipy.stats import chi2

from components.data_report.divergence import FALSE_ALARMS, noise

DRAWS = 20_000


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Jensen-Shannon, bits, of each row of p and of q."""

    def entropy(shares):
        return -np.sum(shares * np.log2(np.where(shares > 0, shares, 1)), axis=-1)

    return entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2


@pytest.mark.parametrize(("faces", "others"), [(120, 960), (400, 400), (1500, 12_000)])
@pytest.mark.parametrize("bins", [2, 5, 10])
def test_chance_alone_hardly_ever_exceeds_the_allowance(bins, faces, others):
    random = np.random.default_rng(bins * faces)
    shares = random.dirichlet(np.full(bins, 5.0))
    drawn = [random.multinomial(n, shares, DRAWS) / n for n in (faces, others)]
    measured = divergence(*drawn)
    allowance = noise(bins, faces, others)
    # Expected: 2 of 20,000. An allowance a third smaller would let through some 50.
    assert np.mean(measured > allowance) <= 5 * FALSE_ALARMS
    # And it is no larger than it must be: the mean of a chi-square is its degrees of freedom.
    mean = allowance * (bins - 1) / chi2.ppf(1 - FALSE_ALARMS, bins - 1)
    assert np.mean(measured) == pytest.approx(mean, rel=0.06)


def test_one_value_cannot_differ():
    assert noise(1, 10, 10) == 0
