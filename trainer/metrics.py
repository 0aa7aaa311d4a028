"""Figures of answers against labels: plain functions of arrays."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata  # type: ignore[import-untyped]

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


def calibration_error(female: Floats, probabilities: Floats, bins: int = 15) -> float:
    """Expected calibration error over bins of equal mass (Nixon et al. 2019).

    The mean, weighed by their sizes, of how far the share of women in a bin is from the mean
    probability given there.

    Args:
      female: 1.0 or 0.0, [n].
      probabilities: of "female", [n].
      bins: how many; fewer than that many faces make one bin each.
    """
    order = np.argsort(probabilities, kind="stable")
    gaps = [
        len(part) * abs(float(female[part].mean()) - float(probabilities[part].mean()))
        for part in np.array_split(order, bins)
        if len(part)
    ]
    return sum(gaps) / len(order)
