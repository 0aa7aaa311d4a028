"""The one number candidates are compared by."""


def score(
    age_mae: float, gender_accuracy: float, max_age_mae: float, min_gender_accuracy: float
) -> float:
    """How near a model is to its thresholds; lower is better, 2.0 is just at both.

    Args:
      age_mae: mean absolute error, years.
      gender_accuracy: share of right answers.
      max_age_mae: the threshold age must stay under, years.
      min_gender_accuracy: the threshold gender must stay over, below 1.
    """
    return age_mae / max_age_mae + (1 - gender_accuracy) / (1 - min_gender_accuracy)
