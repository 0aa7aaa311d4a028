"""Figures of answers against labels: plain functions of arrays."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata  # type: ignore[import-untyped]

ECE_BINS = 15

Floats = npt.NDArray[np.floating]


def age_figures(true: Floats, predicted: Floats) -> dict[str, float]:
    """Figures of ages in years, [n] each; NaN where one is not defined."""
    error = predicted.astype(np.float64) - true
    mse = float(np.mean(error**2))
    spread = float(np.var(true.astype(np.float64)))
    return {
        "age_mae": float(np.mean(np.abs(error))),
        "age_mse": mse,
        "age_rmse": mse**0.5,
        "age_r2": 1 - mse / spread if spread else np.nan,
        "age_within_5": float(np.mean(np.abs(error) <= 5)),
        "age_within_10": float(np.mean(np.abs(error) <= 10)),
    }


def gender_figures(female: Floats, logits: Floats) -> dict[str, float]:
    """Figures of gender, female being the positive class; NaN where one is not defined.

    Args:
      female: 1.0 or 0.0, [n].
      logits: of "female", [n]; 0 and above is an answer of "female".
    """
    truth, answer = female == 1.0, logits >= 0
    hits = int(np.sum(truth & answer))
    precision = hits / answer.sum() if answer.any() else np.nan
    recall = hits / truth.sum() if truth.any() else np.nan
    return {
        "gender_accuracy": float(np.mean(truth == answer)),
        "gender_auc": _auc(truth, logits),
        "gender_precision": float(precision),
        "gender_recall": float(recall),
        "gender_f1": 2 * hits / float(truth.sum() + answer.sum()) if hits else 0.0,
    }


def _auc(truth: npt.NDArray[np.bool_], scores: Floats) -> float:
    """The chance that a positive scores higher than a negative, ties counting half."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return np.nan
    above = rankdata(scores)[truth].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def interval_figures(true: Floats, low: Floats, high: Floats) -> dict[str, float]:
    """The share of ages that their intervals hold, and the mean width of these, years."""
    return {
        "age_coverage": float(np.mean((low <= true) & (true <= high))),
        "age_interval_width": float(np.mean(high - low)),
    }


def log_loss(female: Floats, logits: Floats) -> float:
    """Mean negative log-likelihood of labels 1.0 or 0.0 under logits, nats, [n] each."""
    z = logits.astype(np.float64)
    return float(np.mean(np.logaddexp(0, z) - female * z))


def calibration_error(female: Floats, probabilities: Floats) -> float:
    """Expected calibration error of probabilities of "female": see `expected_calibration_error`.

    Args:
      female: 1.0 or 0.0, [n].
      probabilities: of "female", [n].
    """
    return expected_calibration_error(*by_probability(female, probabilities))


def by_probability(female: Floats, probabilities: Floats) -> tuple[Floats, Floats, Floats]:
    """Faces counted by the probability they were given, as `equal_mass_bins` takes them."""
    steps, index, counts = np.unique(
        probabilities.astype(np.float64), return_inverse=True, return_counts=True
    )
    positive = np.bincount(index, weights=female.astype(np.float64))
    return counts.astype(np.float64), counts * steps, positive.astype(np.float64)


def expected_calibration_error(
    examples: npt.ArrayLike,
    predictions: npt.ArrayLike,
    labels: npt.ArrayLike,
    bins: int = ECE_BINS,
) -> float:
    """ECE with bins of equal mass (Nixon et al. 2019): mean |share of positives - probability|.

    Args are those of `equal_mass_bins`.
    """
    sizes, predicted, positive = equal_mass_bins(examples, predictions, labels, bins)
    return float(np.abs(predicted - positive).sum() / sizes.sum())


def equal_mass_bins(
    examples: npt.ArrayLike, predictions: npt.ArrayLike, labels: npt.ArrayLike, bins: int
) -> tuple[Floats, Floats, Floats]:
    """The same three sums in bins of equally many examples, [bins] each.

    Args:
      examples: how many there are of each probability, [n], in ascending order of probability.
      predictions: the sums of their probabilities, [n].
      labels: how many of them are positive, [n].
      bins: how many bins; what lies on a border is divided between its bins.
    """
    totals = np.cumsum(np.array([examples, predictions, labels], float), axis=1)
    totals = np.concatenate([np.zeros((3, 1)), totals], axis=1)
    borders = np.linspace(0, totals[0, -1], bins + 1)
    sizes, predicted, positive = (np.diff(np.interp(borders, totals[0], sums)) for sums in totals)
    return sizes, predicted, positive
