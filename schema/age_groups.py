"""The ways to group ages that a model may answer in; a setting says which.

The data's own feature `age_group`, and the slices by it, are always `decades`.
"""

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from schema import features

Scheme = Literal["decades", "five", "four", "adience"]

# Years, both ends within the group. Ages in Adience's gaps (Eidinger et al. 2014 label by eight
# groups that leave out 3, 7, 14, 21-24, 33-37, 44-47 and 54-59) belong to the nearest group, to the
# younger of two that are equally near.
GROUPS: Final[Mapping[Scheme, tuple[str, ...]]] = MappingProxyType(
    {
        "decades": features.AGE_GROUPS,
        "five": ("0-14", "15-25", "26-39", "40-59", "60+"),
        "four": ("0-17", "18-29", "30-79", "80+"),
        "adience": ("0-2", "4-6", "8-13", "15-20", "25-32", "38-43", "48-53", "60+"),
    }
)


def bounds(scheme: Scheme) -> tuple[int, ...]:
    """The age in years at which each group but the first begins, ascending: [groups - 1]."""
    return tuple(
        (_last_age(younger) + _first_age(older)) // 2 + 1
        for younger, older in pairwise(GROUPS[scheme])
    )


def group_of(age: float, scheme: Scheme) -> str:
    """The name of the group an age in years, true or predicted, falls into."""
    return GROUPS[scheme][sum(age >= bound for bound in bounds(scheme))]


def membership(scheme: Scheme) -> npt.NDArray[np.float32]:
    """1 where a year of age belongs to a group, else 0: float32 [MAX_AGE + 1, groups].

    Probabilities of the years, [n, MAX_AGE + 1], times this are those of the groups, [n, groups].
    """
    years = np.arange(features.MAX_AGE + 1)
    index = np.searchsorted(bounds(scheme), years, side="right")
    return np.eye(len(GROUPS[scheme]), dtype=np.float32)[index]


def _first_age(group: str) -> int:
    return int(group.rstrip("+").partition("-")[0])


def _last_age(group: str) -> int:
    return int(group.partition("-")[2])
