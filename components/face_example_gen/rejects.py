"""Why an input file was not used: the closed list of reasons, and one rejected file."""

import enum
from typing import NamedTuple


class Reason(enum.StrEnum):
    """Why an input file was not used."""

    BAD_NAME = "bad_name"  # fewer than three label fields in the name
    LABEL_OUT_OF_RANGE = "label_out_of_range"
    # Of labels in a CSV file.
    NO_LABEL = "no_label"  # a picture that no row names
    NO_PICTURE = "no_picture"  # a row that names no picture there is
    BAD_LABEL = "bad_label"  # a cell that holds no label, or rows that contradict each other
    DUPLICATE_ROW = "duplicate_row"  # another row names the same picture
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"  # another file with the same pixels is used
    LABEL_CONFLICT = "label_conflict"  # files with the same pixels contradict each other
    # Left out by choice, to balance the data: see Balance.
    ABOVE_AGE_MAX = "above_age_max"
    THINNED = "thinned"
    ABOVE_MAX_PER_AGE = "above_max_per_age"


# What is wrong with no file: the user asked for fewer.
BY_CHOICE = frozenset({Reason.ABOVE_AGE_MAX, Reason.THINNED, Reason.ABOVE_MAX_PER_AGE})


class Reject(NamedTuple):
    """One input file that was not used; `file` is its name below the data root.

    `image_sha256` is the digest of its pixels where they could be decoded, else empty: files that
    share it are copies of one another. Of a row that was not used it is the row: `labels.csv:12`.
    """

    file: str
    reason: Reason
    detail: str
    image_sha256: str = ""
