"""R2 by itself; test_evaluation has what TFMA makes of it."""

import numpy as np
import pytest

from pipeline import metrics


@pytest.mark.parametrize("ages", [[30], [30, 30, 30], [116, 116]])
def test_where_all_are_of_one_age_nothing_can_be_explained(ages):
    ages = np.array(ages, float)
    assert np.isnan(metrics._r2(1.0, ages.mean(), (ages**2).mean()))


def test_the_mean_age_explains_nothing():
    ages = np.array([10.0, 20, 40, 90])
    assert metrics._r2(ages.var(), ages.mean(), (ages**2).mean()) == pytest.approx(0)
