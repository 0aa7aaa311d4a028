import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema import features
from trainer.age_weights import LIMITS, SIGMA, age_weights

HOW = ("inverse", "sqrt_inverse")


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, features.MAX_AGE), min_size=1, max_size=300), st.sampled_from(HOW))
def test_the_mean_weight_of_the_faces_is_one_and_none_rules(ages: list[int], how: str) -> None:
    years = np.array(ages, np.float32)
    weights = age_weights(years, how)  # type: ignore[arg-type]

    assert weights.shape == (features.MAX_AGE + 1,)
    assert weights.dtype == np.float32
    assert weights[ages].mean() == pytest.approx(1, rel=1e-4)
    assert weights.min() > 0
    assert weights.max() / weights.min() <= LIMITS[1] / LIMITS[0] * 1.001


@pytest.mark.parametrize(("how", "power"), [("inverse", 1.0), ("sqrt_inverse", 0.5)])
def test_a_rare_age_weighs_more_by_its_smoothed_frequency(how: str, power: float) -> None:
    ages = np.repeat([30.0, 70.0], [90, 30])
    weights = age_weights(ages, how)  # type: ignore[arg-type]

    assert weights[70] / weights[30] == pytest.approx(3**power, rel=1e-3)
    near, far = weights[30 + int(SIGMA)], weights[50]
    assert weights[30] < near < far


def test_ages_that_are_equally_frequent_weigh_the_same_up_to_the_ends() -> None:
    weights = age_weights(np.arange(features.MAX_AGE + 1.0), "inverse")
    np.testing.assert_allclose(weights, 1, rtol=1e-5)


def test_labels_a_rounding_error_away_from_a_year_are_of_that_year() -> None:
    exact = np.repeat([29.0, 57.0], [5, 50])
    np.testing.assert_array_equal(
        age_weights(exact, "inverse"), age_weights(exact - 1e-5, "inverse")
    )
