import math

import numpy as np
import pytest

from trainer import metrics


def test_figures_of_ages_are_what_their_names_say() -> None:
    true = np.array([10.0, 20.0, 30.0, 40.0])
    figures = metrics.age_figures(true, true + np.array([5.0, -10.0, 11.0, 0.0]))
    mse = (25 + 100 + 121) / 4
    assert figures == pytest.approx(
        {
            "age_mae": 6.5,
            "age_mse": mse,
            "age_rmse": math.sqrt(mse),
            "age_r2": 1 - mse / 125,
            "age_within_5": 0.5,
            "age_within_10": 0.75,
        }
    )


def test_figures_of_gender_are_what_their_names_say() -> None:
    female = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    figures = metrics.gender_figures(female, np.array([2.0, 1.0, -1.0, -1.0, 1.5]))
    assert figures == pytest.approx(
        {
            "gender_accuracy": 0.6,
            # 2.0 beats both, 1.0 beats one, -1.0 ties with one: 3.5 of 6 pairs.
            "gender_auc": 3.5 / 6,
            "gender_precision": 2 / 3,
            "gender_recall": 2 / 3,
            "gender_f1": 2 / 3,
        }
    )


def test_figures_of_one_gender_are_not_a_number_where_they_mean_nothing() -> None:
    figures = metrics.gender_figures(np.zeros(3), np.array([-1.0, -2.0, -3.0]))
    assert figures["gender_accuracy"] == 1
    assert figures["gender_f1"] == 0
    assert math.isnan(figures["gender_auc"])
    assert math.isnan(metrics.age_figures(np.ones(3), np.ones(3))["age_r2"])


def test_ece_of_bins_that_borders_cut_through() -> None:
    # Twelve faces in steps of the histogram, three bins of four: borders lie within both steps.
    # 6 of probability 0.2 (3 positive), 6 of 0.8 (6 positive); the middle bin has two of each.
    found = metrics.expected_calibration_error([6, 6], [1.2, 4.8], [3, 6], bins=3)
    assert found == pytest.approx((4 * 0.3 + abs(2 * 0.3 + 2 * 0.2) + 4 * 0.2) / 12)


def test_ece_sees_what_cancels_out_over_all() -> None:
    assert metrics.expected_calibration_error([30, 30], [3.0, 27.0], [0, 30], 2) == pytest.approx(
        0.1
    )
    assert metrics.expected_calibration_error([30, 30], [3.0, 27.0], [3, 27]) == pytest.approx(0)


def test_the_calibration_error_of_faces_is_that_of_their_histogram() -> None:
    probabilities = np.repeat([0.9, 0.1, 0.5], 10)
    female = np.concatenate([np.ones(10), np.zeros(10), np.ones(5), np.zeros(5)])
    found = metrics.calibration_error(female, probabilities)
    assert found == metrics.expected_calibration_error([10] * 3, [1, 5, 9], [0, 5, 10])
    # In what order faces of one answer come says nothing.
    assert metrics.calibration_error(female[::-1], probabilities) != pytest.approx(found)
    assert metrics.calibration_error(female[::-1], probabilities[::-1]) == pytest.approx(found)
    assert metrics.calibration_error(np.repeat([1.0, 0.0], 15), np.full(30, 0.5)) == 0
    sure = np.ones(30)
    assert metrics.calibration_error(sure, sure) == 0
    assert metrics.calibration_error(1 - sure, sure) == 1


def test_bins_are_of_equal_mass_not_width() -> None:
    # Within one bin of equal width, the two errors would cancel.
    found = metrics.expected_calibration_error([15, 15], [15 * 0.91, 15 * 0.99], [15, 12], bins=2)
    assert found == pytest.approx((0.09 + 0.19) / 2)
