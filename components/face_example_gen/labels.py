"""What is said of a face: its labels, and how a file's name carries them."""

import re
from typing import NamedTuple

from components.face_example_gen.rejects import Reason, Reject
from schema import features

NAME_FORM = "[age]_[gender]_[race]_[yyyymmddHHMMSSFFF].jpg"

# Eight digits are a date: the time stamp that follows the labels.
_LABELS = re.compile(r"(-?[0-9]{1,7})_(-?[0-9]{1,7})_(-?[0-9]{1,7})(?=[_.]|$)")
_LIMITS = (
    ("age", features.MAX_AGE),
    ("gender", len(features.GENDERS) - 1),
    ("race", len(features.RACES) - 1),
)


class Labels(NamedTuple):
    """Years, and indices into features.GENDERS and features.RACES."""

    age: int
    gender: int
    race: int


def parse_name(name: str) -> Labels | Reject:
    """The labels in a file's name, whatever follows the three leading fields. Never raises.

    `name` is the path below the data root; only its last part counts.
    """
    match = _LABELS.match(name.rpartition("/")[2])
    if not match:
        return Reject(name, Reason.BAD_NAME, f"the name lacks a label field of {NAME_FORM}")
    labels = Labels(*map(int, match.groups()))
    if detail := out_of_range(labels):
        return Reject(name, Reason.LABEL_OUT_OF_RANGE, detail)
    return labels


def out_of_range(labels: Labels) -> str:
    """Which label is outside its domain, and that domain; "" when none is."""
    for (field, highest), value in zip(_LIMITS, labels, strict=True):
        if not 0 <= value <= highest:
            return f"{field} {value} is not in 0-{highest}"
    return ""
