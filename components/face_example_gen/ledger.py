"""What became of every input file: the two files of a Rejects artifact. Free of TensorFlow."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from components.face_example_gen.rejects import BY_CHOICE, Reason, Reject

REJECTS_FILE = "rejects.jsonl"
LEDGER_FILE = "ledger.json"


class Cell(NamedTuple):
    """Where a face is counted: its split and its labels (years, indices as in features)."""

    split: str
    age: int
    gender: int
    race: int


@dataclass
class Ledger:
    """Counts of files. `used` and `left_out` (to balance the data) by split and labels."""

    used: Counter[Cell] = field(default_factory=Counter)
    left_out: Counter[Cell] = field(default_factory=Counter)
    rejected: Counter[Reason] = field(default_factory=Counter)

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(
            self.used + other.used, self.left_out + other.left_out, self.rejected + other.rejected
        )

    @property
    def found(self) -> int:
        """Files there were: every one is used or rejected."""
        return self.used.total() + self.rejected.total()

    @property
    def unfit(self) -> int:
        """Rejected files, without those left out by choice."""
        return sum(count for reason, count in self.rejected.items() if reason not in BY_CHOICE)


def contents(ledger: Ledger, rejects: Iterable[Reject]) -> dict[str, str]:
    """The text of each file, by name; rejects sorted by file."""
    lines = (json.dumps(reject._asdict()) for reject in sorted(rejects))
    counts = {
        "used": _rows(ledger.used),
        "left_out": _rows(ledger.left_out),
        "rejected": {reason: ledger.rejected[reason] for reason in sorted(ledger.rejected)},
    }
    return {REJECTS_FILE: "".join(f"{line}\n" for line in lines), LEDGER_FILE: json.dumps(counts)}


def parse(text: str) -> Ledger:
    """The counts in the text of `LEDGER_FILE`."""
    counts = json.loads(text)
    return Ledger(
        used=_cells(counts["used"]),
        left_out=_cells(counts["left_out"]),
        rejected=Counter({Reason(r): count for r, count in counts["rejected"].items()}),
    )


def parse_rejects(text: str) -> list[Reject]:
    """Every rejected file in the text of `REJECTS_FILE`, sorted by file."""
    found = [Reject(**json.loads(line)) for line in text.splitlines()]
    return [reject._replace(reason=Reason(reject.reason)) for reject in found]


def _rows(cells: Counter[Cell]) -> list[list[str | int]]:
    return [[*cell, cells[cell]] for cell in sorted(cells)]


def _cells(rows: list[list]) -> Counter[Cell]:
    return Counter({Cell(*labels): count for *labels, count in rows})
