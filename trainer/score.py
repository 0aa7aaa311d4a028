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
    return age_part(age_mae, max_age_mae) + gender_part(gender_accuracy, min_gender_accuracy)


def age_part(age_mae: float, max_age_mae: float) -> float:
    """What age adds to the score: 1.0 at its threshold."""
    return age_mae / max_age_mae


def gender_part(gender_accuracy: float, min_gender_accuracy: float) -> float:
    """What gender adds to the score: 1.0 at its threshold."""
    return (1 - gender_accuracy) / (1 - min_gender_accuracy)
