"""What ingestion accepts, and what it leaves out: settings, free of TensorFlow."""

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from schema import features
from trainer.hyperparameters import Strict

Share = Annotated[float, Field(ge=0, le=1)]
AgeRange = Annotated[str, Field(pattern=r"^\d{1,3}-\d{1,3}$")]


class Policy(Strict):
    """Which files are fit for use."""

    min_side: int = Field(16, ge=16, description="of a picture, pixels")
    # The upper bound is Pillow's: it opens no picture with more.
    max_pixels: int = Field(
        50_000_000, gt=0, le=178_956_970, description="of a picture; more is never decoded"
    )
    max_file_bytes: int = Field(32 * 2**20, gt=0, description="more is never read")
    duplicates: Literal["reject", "keep"] = Field(
        "reject", description="of files with equal pixels, all but the first by name"
    )
    label_conflicts: Literal["reject", "keep"] = Field(
        "reject", description="all files with equal pixels, when their labels contradict"
    )
    max_label_disagreement: int = Field(
        5, ge=0, description="between the ages of equal pixels, years; genders must agree"
    )


class Balance(Strict):
    """Which sound faces are left out to balance the data; nothing is, unless asked for.

    `age_max` holds for all splits. The others thin out split train alone, so that figures on the
    other splits can still be compared.
    """

    age_max: int | None = Field(None, ge=0, description="years; older faces are left out")
    max_per_age: int | None = Field(None, gt=0, description="train faces per year of age")
    fractions: dict[AgeRange, Share] = Field(
        {}, description="share of the train faces kept, by range of ages, as {0-4: 0.33}"
    )

    @field_validator("fractions")
    @classmethod
    def _ranges_are_apart(cls, fractions: dict[str, float]) -> dict[str, float]:
        ages = [age for text in fractions for age in ages_of(text)]
        if len(ages) > len(set(ages)):
            raise ValueError("the ranges of ages overlap")
        return fractions


DEFAULT_POLICY: Final = Policy()
DEFAULT_BALANCE: Final = Balance()


def ages_of(age_range: str) -> range:
    """The ages of "low-high", both included.

    Raises:
      ValueError: when the range is empty or goes beyond the ages there are.
    """
    low, high = map(int, age_range.split("-"))
    if not features.MIN_AGE <= low <= high <= features.MAX_AGE:
        raise ValueError(f"{age_range} is no range within {features.MIN_AGE}-{features.MAX_AGE}")
    return range(low, high + 1)
