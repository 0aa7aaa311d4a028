"""Which of the usable faces stay: no picture twice, no contradiction and, if asked for, a balance.

Works on rows of digests and labels: whoever calls it moves no picture. Every decision follows from
the faces it is about, never from their order, so that it can be made anywhere and again.
"""

import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from components.face_example_gen.ledger import Cell, Ledger
from components.face_example_gen.logic import Labels, split_of
from components.face_example_gen.policy import Balance, Policy, ages_of
from components.face_example_gen.rejects import BY_CHOICE, Reason, Reject
from schema import features

BALANCED_SPLIT = features.SPLITS[0]
# A conflict's detail names so many of the other files.
_NAMED_FILES = 5


class Row(NamedTuple):
    """A usable face, and where its record lies; sorts by file."""

    file: str
    image_sha256: str
    labels: Labels
    shard: int = 0
    position: int = 0

    @property
    def split(self) -> str:
        """The split of its pixels."""
        return split_of(self.image_sha256)


class LeftOut(NamedTuple):
    """A face that is not used, and why."""

    row: Row
    reject: Reject


class Sorted(NamedTuple):
    """Rows, told apart."""

    used: list[Row]
    left_out: list[LeftOut]


def curate(rows: Iterable[Row], policy: Policy, balance: Balance) -> Sorted:
    """Decides on all faces of a source."""
    used, left_out = sort_out(rows, policy, balance)
    if balance.max_per_age is None:
        return Sorted(used, left_out)
    others = [row for row in used if row.split != BALANCED_SPLIT]
    of_age = defaultdict(list)
    for row in used:
        if row.split == BALANCED_SPLIT:
            of_age[row.labels.age].append(row)
    capped = [cap(same_age, balance.max_per_age) for same_age in of_age.values()]
    return Sorted(
        sorted(itertools.chain(others, *(one.used for one in capped))),
        sorted(itertools.chain(left_out, *(one.left_out for one in capped))),
    )


def sort_out(rows: Iterable[Row], policy: Policy, balance: Balance) -> Sorted:
    """Decides all that can be decided without a look at other pictures: all but `max_per_age`.

    Args:
        rows: in any order; those of equal pixels all together or not at all.
        policy: what to do with equal pixels.
        balance: which ages are left out, or thinned out in split train.
    """
    used: list[Row] = []
    left_out: list[LeftOut] = []
    for _, copies in itertools.groupby(sorted(rows, key=_by_pixels), key=_digest):
        once, surplus = _resolve_copies(list(copies), policy)
        left_out += surplus
        for row in once:
            reject = _not_in_balance(row, balance)
            if reject:
                left_out.append(LeftOut(row, reject))
            else:
                used.append(row)
    return Sorted(sorted(used), sorted(left_out))


def cap(rows: Iterable[Row], max_per_age: int) -> Sorted:
    """Of faces of one age, all in the split that is balanced, as many as may be used.

    Which ones follows from their pixels: a face that is added displaces one other at most.
    """
    ranked = sorted(rows, key=lambda row: (_chance(row.image_sha256), row))
    detail = f"split {BALANCED_SPLIT} has {max_per_age:,} others of its age"
    surplus = [
        LeftOut(row, _reject(row, Reason.ABOVE_MAX_PER_AGE, detail)) for row in ranked[max_per_age:]
    ]
    return Sorted(ranked[:max_per_age], surplus)


def cell_of(row: Row) -> Cell:
    """Where the ledger counts the face."""
    return Cell(row.split, *row.labels)


def account(
    usable: Counter[Cell], left_out: Iterable[LeftOut], unusable: Iterable[Reject]
) -> tuple[Ledger, list[Reject]]:
    """What became of every file, and all the rejects.

    Args:
        usable: counts of the faces that were decided on, the later left out among them.
        left_out: those of them that are not used.
        unusable: the files that hold no usable face.
    """
    left_out = list(left_out)
    rejects = [*unusable, *(one.reject for one in left_out)]
    ledger = Ledger(
        used=usable - Counter(cell_of(one.row) for one in left_out),
        left_out=Counter(cell_of(row) for row, reject in left_out if reject.reason in BY_CHOICE),
        rejected=Counter(reject.reason for reject in rejects),
    )
    return ledger, rejects


_digest = attrgetter("image_sha256")


def _by_pixels(row: Row) -> tuple[str, Row]:
    return row.image_sha256, row


def _resolve_copies(copies: list[Row], policy: Policy) -> Sorted:
    """Of faces with the same pixels, sorted by file, those to use."""
    if policy.label_conflicts == "reject" and _contradict(copies, policy.max_label_disagreement):
        return Sorted([], [LeftOut(row, _conflict(row, copies)) for row in copies])
    if policy.duplicates == "keep":
        return Sorted(copies, [])
    first, *surplus = copies
    detail = f"same pixels as {first.file}"
    return Sorted(
        [first], [LeftOut(row, _reject(row, Reason.DUPLICATE, detail)) for row in surplus]
    )


def _contradict(copies: list[Row], max_disagreement: int) -> bool:
    ages = [row.labels.age for row in copies]
    genders = {row.labels.gender for row in copies}
    return len(genders) > 1 or max(ages) - min(ages) > max_disagreement


def _conflict(row: Row, copies: list[Row]) -> Reject:
    others = [other.file for other in copies if other is not row]
    more = len(others) - _NAMED_FILES
    named = ", ".join(others[:_NAMED_FILES]) + (f" and {more:,} more" if more > 0 else "")
    differing = [
        _differing("genders", sorted({features.GENDERS[one.labels.gender] for one in copies})),
        _differing("ages", [str(age) for age in sorted({one.labels.age for one in copies})]),
    ]
    detail = f"same pixels as {named}: {', '.join(filter(None, differing))}"
    return _reject(row, Reason.LABEL_CONFLICT, detail)


def _differing(what: str, values: list[str]) -> str:
    *most, last = values
    return f"{what} {', '.join(most)} and {last}" if most else ""


def _not_in_balance(row: Row, balance: Balance) -> Reject | None:
    age = row.labels.age
    if balance.age_max is not None and age > balance.age_max:
        return _reject(row, Reason.ABOVE_AGE_MAX, f"age {age} is above {balance.age_max}")
    if row.split != BALANCED_SPLIT:
        return None
    for ages, fraction in balance.fractions.items():
        if age in ages_of(ages) and _chance(row.image_sha256) >= fraction:
            detail = f"{fraction:.0%} of split {BALANCED_SPLIT}'s ages {ages} are used"
            return _reject(row, Reason.THINNED, detail)
    return None


def _chance(image_sha256: str) -> float:
    """A number from 0 to 1 that follows from the pixels, but not from their split."""
    digest = hashlib.sha256(f"balance:{image_sha256}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _reject(row: Row, reason: Reason, detail: str) -> Reject:
    return Reject(row.file, reason, detail, row.image_sha256)
