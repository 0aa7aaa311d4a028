import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from schema import features
from trainer import training
from trainer.calibration import (
    COVERAGE,
    LOW_SHARES,
    POINT,
    AgeCalibration,
    Calibration,
    conformal_quantile,
    fit_age,
    fit_gender,
    merged,
)
from trainer.heads import AGE_BINS
from trainer.predictors import calibrated, interval
from trainer.training import calibrate

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
    count: int, seed: int, distribution: bool, trust: float = 1.0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Ages whose error grows with age, and a model too sure (or too modest) of itself."""
    random = np.random.default_rng(seed)
    predicted = random.gamma(3.0, 12.0, count).clip(1, 110)
    spread = 1 + predicted / 8
    true = (predicted + random.normal(0, spread)).clip(0, 116)
    answer = {"age": predicted.astype(np.float32)}
    if distribution:
        away = (np.arange(AGE_BINS) - predicted[:, None]) / (trust * spread[:, None])
        bell = np.exp(-0.5 * away**2)
        shares = bell / bell.sum(axis=1, keepdims=True)
        answer["age_probabilities"] = shares.astype(np.float32)
    return true, answer


def fit(
    true: np.ndarray, answer: dict[str, np.ndarray], bounds: tuple[int, ...] = BOUNDS
) -> AgeCalibration:
    low_share = 0.2 if "age_probabilities" in answer else POINT
    low, high = (np.asarray(end) for end in interval(answer, low_share))
    return fit_age(true, answer["age"], low, high, low_share, bounds)


def held(true: np.ndarray, answer: dict[str, np.ndarray], found: Calibration) -> np.ndarray:
    """Whether each age is in its interval."""
    out = calibrated(answer, found)
    return (out["age_low"].numpy() <= true) & (true <= out["age_high"].numpy())


@pytest.mark.parametrize("trust", [0.6, 1.5])
@pytest.mark.parametrize("distribution", [True, False])
def test_unseen_faces_of_every_group_are_covered_and_not_many_more(
    distribution: bool, trust: float
) -> None:
    fitted = fit(*simulated(3000, 0, distribution, trust))
    assert fitted.method == ("conformalised quantiles" if distribution else "split conformal")
    unseen, asked = simulated(20000, 1, distribution, trust)
    inside = held(unseen, asked, Calibration(age=fitted))
    assert 0.885 < inside.mean() < 0.915
    group = np.searchsorted(BOUNDS, asked["age"], side="right")
    for index in range(len(BOUNDS) + 1):
        assert 0.85 < inside[group == index].mean() < 0.95


def test_one_correction_for_all_would_fail_the_old() -> None:
    fitted = fit(*simulated(3000, 0, distribution=False), bounds=())
    unseen, asked = simulated(20000, 1, distribution=False)
    inside = held(unseen, asked, Calibration(age=fitted))
    assert inside[asked["age"] >= 60].mean() < 0.8


@pytest.mark.parametrize("trust", [2.5, 4.0])
def test_the_quantiles_are_those_of_the_narrowest_intervals_on_val(trust: float) -> None:
    val, calib, unseen = (simulated(2000, seed, True, trust) for seed in (0, 1, 2))

    def labelled(data: tuple[np.ndarray, dict[str, np.ndarray]]) -> training.Labelled:
        return {"age": data[0]}, data[1]

    def width(found: Calibration) -> float:
        out = calibrated(unseen[1], found)
        return float(np.mean(out["age_high"] - out["age_low"]))

    found = calibrate(labelled(calib), labelled(val), "five")
    assert found.age
    fixed = [
        Calibration(age=training._fit_age(labelled(calib), share, found.age.bounds))
        for share in LOW_SHARES
    ]
    widths = [width(one) for one in fixed]
    assert max(widths) > 1.03 * min(widths)
    assert width(found) < 1.01 * min(widths)
    assert 0.88 < held(*unseen, found).mean() < 0.92


def test_an_interval_holds_its_own_age_and_ends_with_the_ages_there_are() -> None:
    fitted = AgeCalibration(
        method="split conformal",
        low_share=POINT,
        bounds=(50.0,),
        corrections=(-9.0, 30.0),
        faces=(9, 9),
    )
    out = calibrated({"age": np.array([20.0, 100.0], np.float32)}, Calibration(age=fitted))
    np.testing.assert_allclose(out["age_low"], [20, 70])
    np.testing.assert_allclose(out["age_high"], [20, 116])


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


@pytest.mark.parametrize("fit", [fit_gender, lambda a, b: fit_age(a, b, b, b, POINT, BOUNDS)])
def test_no_faces_are_an_error(fit: object) -> None:
    with pytest.raises(ValueError, match="calib"):
        fit(np.array([]), np.array([]))  # type: ignore[operator]


def test_it_is_read_back_as_it_was_written() -> None:
    age = fit(*simulated(300, 0, distribution=True))
    found = Calibration(age=age, gender=fit_gender(np.float32([0, 1, 1]), np.float32([-1, 2, -3])))
    assert Calibration.model_validate_json(found.model_dump_json()) == found
