"""Why an input file was not used: the closed list of reasons, and one rejected file."""

import enum
from typing import NamedTuple


class Reason(enum.StrEnum):
    """Why an input file was not used."""

    BAD_NAME = "bad_name"  # fewer than three label fields in the name
    LABEL_OUT_OF_RANGE = "label_out_of_range"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNREADABLE = "unreadable"


class Reject(NamedTuple):
    """One input file that was not used; `file` is its name below the data root."""

    file: str
    reason: Reason
    detail: str
