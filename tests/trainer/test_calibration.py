import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm

from schema import features
from trainer.calibration import (
    COVERAGE,
    HIGH_SHARE,
    LOW_SHARE,
    AgeCalibration,
    Calibration,
    conformal_quantile,
    fit_age,
    fit_gender,
    merged,
)
from trainer.predictors import calibrated

BOUNDS = (15, 26, 40, 60)


@given(st.lists(st.floats(0, 116), min_size=9, max_size=200))
def test_the_quantile_holds_what_it_promises_and_no_rank_more(scores: list[float]) -> None:
    found = conformal_quantile(np.array(scores))
    within = int(np.sum(np.array(scores) <= found))
    assert within >= COVERAGE * (len(scores) + 1) - 1e-9
    assert np.sum(np.array(scores) < found) < COVERAGE * (len(scores) + 1)


@pytest.mark.parametrize(("count", "rank"), [(9, 9), (10, 10), (19, 18), (99, 90), (100, 91)])
def test_the_rank_is_that_of_the_finite_sample(count: int, rank: int) -> None:
    assert conformal_quantile(np.arange(1.0, count + 1)) == rank


def test_too_few_faces_promise_nothing() -> None:
    assert conformal_quantile(np.zeros(8)) == features.MAX_AGE


def simulated(
    count: int, seed: int, quantiles: bool, trust: float = 0.6
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Ages whose error grows with age, and a model too sure (or too modest) of itself."""
    random = np.random.default_rng(seed)
    predicted = random.gamma(3.0, 12.0, count).clip(1, 110)
    spread = 1 + predicted / 8
    true = predicted + random.normal(0, spread)
    margin = trust * spread * norm.ppf(HIGH_SHARE) * quantiles
    answer = {"age": predicted, "age_low": predicted - margin, "age_high": predicted + margin}
    return true, {name: values.astype(np.float32) for name, values in answer.items()}


def coverage(true: np.ndarray, answer: dict[str, np.ndarray], fitted: AgeCalibration) -> np.ndarray:
    out = calibrated(answer, Calibration(age=fitted))
    # The served interval ends at the ages there are; these simulated ages do not.
    true = true.clip(features.MIN_AGE, features.MAX_AGE)
    return (out["age_low"].numpy() <= true) & (true <= out["age_high"].numpy())


@pytest.mark.parametrize("trust", [0.6, 1.5])
@pytest.mark.parametrize("quantiles", [True, False])
def test_unseen_faces_of_every_group_are_covered_and_not_many_more(
    quantiles: bool, trust: float
) -> None:
    true, answer = simulated(3000, 0, quantiles, trust)
    fitted = fit_age(true, answer["age"], answer["age_low"], answer["age_high"], BOUNDS)
    assert fitted.method == ("conformalised quantiles" if quantiles else "split conformal")
    unseen, asked = simulated(20000, 1, quantiles, trust)
    held = coverage(unseen, asked, fitted)
    assert 0.885 < held.mean() < 0.915
    group = np.searchsorted(BOUNDS, asked["age"], side="right")
    for index in range(len(BOUNDS) + 1):
        assert 0.85 < held[group == index].mean() < 0.95


def test_one_correction_for_all_would_fail_the_old() -> None:
    true, answer = simulated(3000, 0, quantiles=False)
    fitted = fit_age(true, answer["age"], answer["age"], answer["age"], ())
    unseen, asked = simulated(20000, 1, quantiles=False)
    assert coverage(unseen, asked, fitted)[asked["age"] >= 60].mean() < 0.8


def test_an_interval_holds_its_own_age_and_ends_with_the_ages_there_are() -> None:
    fitted = AgeCalibration(
        method="conformalised quantiles", bounds=(50.0,), corrections=(-9.0, 30.0), faces=(9, 9)
    )
    answer = {
        "age": np.array([20.0, 100.0], np.float32),
        "age_low": np.array([18.0, 80.0], np.float32),
        "age_high": np.array([30.0, 110.0], np.float32),
    }
    out = calibrated(answer, Calibration(age=fitted))
    np.testing.assert_allclose(out["age_low"], [20, 50])
    np.testing.assert_allclose(out["age_high"], [21, 116])


@settings(deadline=None)
@given(st.lists(st.floats(0, 116), min_size=1, max_size=400), st.integers(1, 60))
def test_no_group_is_left_too_small(ages: list[float], smallest: int) -> None:
    predicted = np.array(ages)
    kept = merged(predicted, BOUNDS, smallest)
    assert set(kept) <= set(BOUNDS)
    sizes = np.bincount(
        np.searchsorted(np.float32(kept), np.float32(predicted), side="right"),
        minlength=len(kept) + 1,
    )
    assert sizes.min() >= min(smallest, len(ages))


def test_a_known_temperature_is_found_again() -> None:
    random = np.random.default_rng(0)
    true_logits = random.normal(0, 3, 40000)
    female = (random.uniform(size=40000) < expit(true_logits)).astype(np.float32)
    for temperature in (0.5, 2.5):
        fitted = fit_gender(female, true_logits * temperature)
        assert fitted.temperature == pytest.approx(temperature, rel=0.03)
        assert fitted.ece_after < 0.01 < fitted.ece_before
        assert fitted.log_loss_after < fitted.log_loss_before
    out = calibrated({"gender": np.float32([2.0])}, Calibration(gender=fitted))
    assert float(out["gender"][0]) == pytest.approx(expit(2.0 / fitted.temperature))


@pytest.mark.parametrize("fit", [fit_gender, lambda a, b: fit_age(a, b, b, b, BOUNDS)])
def test_no_faces_are_an_error(fit: object) -> None:
    with pytest.raises(ValueError, match="calib"):
        fit(np.array([]), np.array([]))  # type: ignore[operator]


def test_it_is_read_back_as_it_was_written() -> None:
    true, answer = simulated(300, 0, quantiles=True)
    age = fit_age(true, answer["age"], answer["age_low"], answer["age_high"], BOUNDS)
    assert age.coverage == pytest.approx(HIGH_SHARE - LOW_SHARE)
    found = Calibration(age=age, gender=fit_gender(np.float32([0, 1, 1]), np.float32([-1, 2, -3])))
    assert Calibration.model_validate_json(found.model_dump_json()) == found
