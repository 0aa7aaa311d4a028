"""Slices of the test split: which there are, how much worse than the whole one may be."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from schema import features

OVERALL: Final = "overall"
AGE_MAE: Final = "age_mae"
GENDER_ACCURACY: Final = "gender_accuracy"

# What faces are told apart by -> the features whose values make a slice. A slice is named by them,
# such as "race=2,gender=1".
DIMENSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "gender": (features.GENDER,),
    "race": (features.RACE,),
    "age_group": (features.AGE_GROUP,),
    "race_gender": (features.RACE, features.GENDER),
    "brightness": (features.BRIGHTNESS_LEVEL,),
    "sharpness": (features.SHARPNESS_LEVEL,),
    "predicted_age_group": (features.PREDICTED_AGE_GROUP,),
}

_VALUES: Final = {features.RACE: features.RACES, features.GENDER: features.GENDERS}
# Values that are named in the order of what they measure.
_SCALES: Final[Mapping[str, tuple[str, ...]]] = {
    features.AGE_GROUP: features.AGE_GROUPS,
    features.PREDICTED_AGE_GROUP: features.AGE_GROUPS,
    features.BRIGHTNESS_LEVEL: features.BRIGHTNESS_LEVELS,
    features.SHARPNESS_LEVEL: features.SHARPNESS_LEVELS,
}

Slices = Mapping[str, Mapping[str, float]]


class Limit(BaseModel):
    """How much worse than on the whole split the figures of a slice may be; None for any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_age_mae_ratio: float | None = Field(
        default=None, ge=1, description="times the overall age_mae"
    )
    max_gender_accuracy_drop: float | None = Field(
        default=None, ge=0, le=1, description="below the overall gender_accuracy"
    )


def _limit(age_mae_ratio: float, gender_accuracy_drop: float) -> Limit:
    return Limit(max_age_mae_ratio=age_mae_ratio, max_gender_accuracy_drop=gender_accuracy_drop)


class SliceLimits(BaseModel):
    """What every slice of enough faces must keep to, by dimension.

    The oldest and the youngest are the hardest, in UTKFace as elsewhere: errors grow with age, and
    the gender of a baby is hard to see for anyone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_size: int = Field(
        default=100, ge=1, description="slices of fewer faces are shown and not judged"
    )
    gender: Limit = _limit(1.3, 0.1)
    race: Limit = _limit(1.3, 0.1)
    race_gender: Limit = _limit(1.5, 0.15)
    age_group: Limit = _limit(2.5, 0.35)
    brightness: Limit = _limit(1.3, 0.1)
    sharpness: Limit = _limit(1.3, 0.1)

    @field_validator("*", mode="before")
    @classmethod
    def _over_defaults(cls, value: Any, info: ValidationInfo) -> Any:
        """Who sets one limit of a dimension leaves the other as it is."""
        default = cls.model_fields[str(info.field_name)].default
        if isinstance(value, dict) and isinstance(default, Limit):
            return default.model_dump() | value
        return value


class Gap(NamedTuple):
    """How much worse a figure is in a slice than on the whole split."""

    slice: str
    examples: int
    figure: str
    value: float
    overall: float
    gap: float  # for age_mae: times the overall one; for gender_accuracy: below it

    def line(self, limit: float) -> str:
        """The gap in words, such as "Asian (race=2): gender_accuracy 0.81 of 546 faces is ..."."""
        how = (
            f"{self.gap:.2f} times the overall {self.overall:.4g}, at most {limit:g} times"
            if self.figure == AGE_MAE
            else f"{self.gap:.3f} below the overall {self.overall:.4g}, at most {limit:g}"
        )
        return (
            f"{title(self.slice)}: {self.figure} {self.value:.4g} of {self.examples} faces is {how}"
        )


def title(name: str) -> str:
    """A slice's name for people, such as "Asian female (race=2,gender=1)"."""
    coded = any(key in _VALUES for key, _ in _parts(name))
    return f"{words(name)} ({name})" if coded else name


def words(name: str) -> str:
    """What a slice holds, in words alone, such as "Asian female" or "20-29"."""
    parts = _parts(name)
    return " ".join(_VALUES[key][int(value)] if key in _VALUES else value for key, value in parts)


def along(test: Slices, dimension: str) -> list[str]:
    """The names of the slices there are along a dimension, in the order of their values."""
    found = [name for name in test if _columns(name) == DIMENSIONS[dimension]]
    return sorted(found, key=lambda name: [_order(*part) for part in _parts(name)])


def violations(test: Slices, limits: SliceLimits) -> list[str]:
    """One line per slice and figure that is worse than its limit allows."""
    lines = []
    for dimension in DIMENSIONS:
        allowed = _allowed(limits, dimension)
        for gap in gaps(test, dimension, limits.min_size):
            limit = allowed[gap.figure]
            # What is not a number is no better than any limit.
            if limit is not None and not gap.gap <= limit:
                lines.append(gap.line(limit))
    return lines


def worst(test: Slices, limits: SliceLimits) -> dict[str, dict[str, dict[str, Any]]]:
    """By dimension and figure, the slice that is worst off, as plain values with its limit."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for dimension in DIMENSIONS:
        allowed = _allowed(limits, dimension)
        for gap in gaps(test, dimension, limits.min_size):
            of_dimension = found.setdefault(dimension, {})
            if gap.figure not in of_dimension or gap.gap > of_dimension[gap.figure]["gap"]:
                of_dimension[gap.figure] = gap._asdict() | {"limit": allowed[gap.figure]}
    return found


def gaps(test: Slices, dimension: str, min_size: int) -> Iterator[Gap]:
    """Those of the slices along a dimension that hold so many faces, each figure after another."""
    overall = test[OVERALL]
    for name, figures in sorted(test.items()):
        size = figures.get("examples", 0)
        if _columns(name) != DIMENSIONS[dimension] or size < min_size:
            continue
        mae, accuracy = figures[AGE_MAE], figures[GENDER_ACCURACY]
        # A model without any error has none to compare with.
        ratio = mae / overall[AGE_MAE] if overall[AGE_MAE] else 1.0
        drop = overall[GENDER_ACCURACY] - accuracy
        yield Gap(name, int(size), AGE_MAE, mae, overall[AGE_MAE], ratio)
        yield Gap(name, int(size), GENDER_ACCURACY, accuracy, overall[GENDER_ACCURACY], drop)


def _order(column: str, value: str) -> int:
    scale = _SCALES.get(column)
    return scale.index(value) if scale else int(value)


def _columns(name: str) -> tuple[str, ...]:
    return tuple(column for column, _ in _parts(name))


def _parts(name: str) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in name.split(","))
    return [(column, value) for column, _, value in pairs]


def _allowed(limits: SliceLimits, dimension: str) -> dict[str, float | None]:
    limit: Limit = getattr(limits, dimension, Limit())
    return {
        AGE_MAE: limit.max_age_mae_ratio,
        GENDER_ACCURACY: limit.max_gender_accuracy_drop,
    }
