"""ECE and R2 by themselves; test_evaluation has what TFMA makes of them."""

import numpy as np
import pytest

from pipeline import metrics


def test_ece_of_bins_that_borders_cut_through():
    # Twelve faces in steps of the histogram, three bins of four: borders lie within both steps.
    # 6 of probability 0.2 (3 positive), 6 of 0.8 (6 positive); the middle bin has two of each.
    found = metrics.expected_calibration_error([6, 6], [1.2, 4.8], [3, 6], bins=3)
    assert found == pytest.approx((4 * 0.3 + abs(2 * 0.3 + 2 * 0.2) + 4 * 0.2) / 12)


def test_ece_of_a_single_answer_is_its_distance_from_the_share():
    assert metrics.expected_calibration_error([40], [20.0], [30]) == pytest.approx(0.25)


def test_ece_sees_what_cancels_out_over_all():
    assert metrics.expected_calibration_error([30, 30], [3.0, 27.0], [0, 30], 2) == pytest.approx(
        0.1
    )
    assert metrics.expected_calibration_error([30, 30], [3.0, 27.0], [3, 27]) == pytest.approx(0)


@pytest.mark.parametrize("ages", [[30], [30, 30, 30], [116, 116]])
def test_where_all_are_of_one_age_nothing_can_be_explained(ages):
    ages = np.array(ages, float)
    assert np.isnan(metrics._r2(1.0, ages.mean(), (ages**2).mean()))


def test_the_mean_age_explains_nothing():
    ages = np.array([10.0, 20, 40, 90])
    assert metrics._r2(ages.var(), ages.mean(), (ages**2).mean()) == pytest.approx(0)
