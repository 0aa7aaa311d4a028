"""The predictor every candidate must beat when nothing is served yet: the same answer for all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """The best answer that does not look at the picture.

    Attributes:
      age: the median age of the training faces, years: no constant has a smaller mean absolute
        error on them.
      female_probability: the share of women among them: no constant has a smaller log loss.
      half_width: of an age interval about `age` that holds all of them, years.
    """

    age: float
    female_probability: float
    half_width: float


def constant(ages: list[tuple[float, float]], female_share: float) -> Constant:
    """The constant for a distribution of ages.

    Args:
      ages: quantiles of the training ages as (share, years), ascending in both, from share 0 to 1.
      female_share: share of women among the training faces.

    Raises:
      ValueError: when there are no quantiles.
    """
    if not ages:
        raise ValueError("the statistics of the train split hold no ages")
    median = min(ages, key=lambda quantile: abs(quantile[0] - 0.5))[1]
    furthest = max(abs(ages[0][1] - median), abs(ages[-1][1] - median))
    return Constant(median, female_share, furthest)
