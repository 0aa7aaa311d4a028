import numpy as np
import pytest

from trainer import heads


def one_hot_logits(age: int) -> np.ndarray:
    logits = np.full((1, heads.AGE_BINS), -50.0, np.float32)
    logits[0, age] = 50.0
    return logits


@pytest.mark.parametrize("age", [0, 33, 116])
def test_a_sure_distribution_is_read_as_its_year(age: int) -> None:
    assert float(heads.age_years(one_hot_logits(age))[0]) == pytest.approx(age, abs=1e-3)


def test_a_distribution_is_answered_with_the_year_of_the_least_expected_error() -> None:
    logits = np.random.default_rng(0).normal(scale=2, size=(20, heads.AGE_BINS)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    years = np.arange(heads.AGE_BINS)
    errors = shares @ abs(years[:, None] - years[None, :])
    np.testing.assert_array_equal(np.asarray(heads.age_years(logits)), errors.argmin(axis=1))
    np.testing.assert_allclose(np.asarray(heads.expected_age(logits)), shares @ years, rtol=1e-4)


def test_regression_reads_a_sigmoid() -> None:
    assert float(heads.age_years(np.zeros((1, 1), np.float32))[0]) == pytest.approx(58)


def test_the_loss_of_regression_is_the_weighted_error() -> None:
    loss = heads.AgeLoss(l1=0.5)(np.array([50.0]), np.zeros((1, 1), np.float32))
    assert float(loss) == pytest.approx(0.5 * 8)


def test_the_loss_of_a_distribution_is_cross_entropy_plus_error() -> None:
    logits = np.random.default_rng(0).normal(size=(1, heads.AGE_BINS)).astype(np.float32)
    years = np.arange(heads.AGE_BINS)
    target = np.exp(-0.5 * ((years - 30) / 2.0) ** 2)
    target /= target.sum()
    share = np.exp(logits[0]) / np.exp(logits[0]).sum()
    expected = 0.2 * abs((share * years).sum() - 30) - (target * np.log(share)).sum()
    assert float(heads.AgeLoss(2.0, 0.2)(np.array([30.0]), logits)) == pytest.approx(expected, 1e-4)


@pytest.mark.parametrize("head", ["distribution", "regression"])
def test_the_loss_is_least_at_the_truth(head: str) -> None:
    def loss(age: int) -> float:
        logits = (
            one_hot_logits(age) / 10
            if head == "distribution"
            else np.array([[np.log(age / (116 - age))]], np.float32)
        )
        return float(heads.AgeLoss()(np.array([40.0]), logits))

    assert min(range(5, 100), key=loss) == 40


def test_quantiles_of_an_even_distribution_are_where_they_should_be() -> None:
    even = np.zeros((1, heads.AGE_BINS), np.float32)
    even[0, 20:40] = 0.05
    for share in (0.05, 0.5, 0.95):
        expected = 19.5 + 20 * share
        assert float(heads.age_quantile(even, share)[0]) == pytest.approx(expected, abs=1e-3)


def test_quantiles_stay_among_the_ages_there_are_and_in_order() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 6, (200, heads.AGE_BINS))
    shares = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    quantiles = np.stack([heads.age_quantile(shares, q) for q in (0.0, 0.05, 0.5, 0.95, 1.0)])
    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert quantiles.min() >= 0
    assert quantiles.max() <= 116
