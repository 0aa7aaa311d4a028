import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.calibration import COVERAGE, conformal_half_width

ages = st.floats(0, 116)


@given(st.lists(st.tuples(ages, ages), min_size=10, max_size=200))
def test_it_covers_what_it_promises(pairs: list[tuple[float, float]]) -> None:
    true, predicted = np.array(pairs).T
    width = conformal_half_width(true, predicted)
    assert np.mean(np.abs(true - predicted) <= width) >= COVERAGE


def test_it_covers_unseen_faces_of_the_same_kind_and_not_many_more() -> None:
    random = np.random.default_rng(0)
    true = random.uniform(0, 116, 4000)
    predicted = true + random.normal(0, 6, 4000)
    width = conformal_half_width(true[:2000], predicted[:2000])
    assert 0.87 < np.mean(np.abs(true - predicted)[2000:] <= width) < 0.93


def test_few_faces_give_the_widest_residual() -> None:
    assert conformal_half_width(np.array([10.0, 20.0]), np.array([11.0, 25.0])) == 5.0


def test_no_faces_are_an_error() -> None:
    with pytest.raises(ValueError, match="calib"):
        conformal_half_width(np.array([]), np.array([]))
