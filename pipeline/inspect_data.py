"""`agegender data inspect`: what a folder or archive of face pictures holds, before any training.

Reads it as the pipeline's first node does; writes nothing and imports no TensorFlow.
"""

import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from components.face_example_gen import logic
from components.face_example_gen.rejects import Reason, Reject
from schema import features

NAMED_REJECTS = 10


@dataclass
class Summary:
    """What a source holds. All counters but `rejected` are of usable files."""

    uri: str
    usable: int = 0
    jpeg_bytes: int = 0  # as the usable files would be stored
    seconds: float = 0.0
    rejected: Counter[Reason] = field(default_factory=Counter)
    first_rejects: dict[Reason, list[Reject]] = field(default_factory=dict)  # NAMED_REJECTS each
    ages: Counter[tuple[str, str]] = field(default_factory=Counter)  # by age group and gender
    races: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # by width and height
    copies: Counter[bytes] = field(default_factory=Counter)  # by digest of the pixels

    @property
    def files(self) -> int:
        """Files read, usable or not."""
        return self.usable + self.rejected.total()

    @property
    def duplicate_groups(self) -> int:
        """Pictures that more than one usable file holds, pixel for pixel."""
        return sum(count > 1 for count in self.copies.values())

    @property
    def surplus_files(self) -> int:
        """Usable files whose pixels another usable file has given already."""
        return self.usable - len(self.copies)


def inspect(uri: str, limit: int = 0) -> Summary:
    """Reads and decodes every file at `uri`, or `limit` of them spread over it, and counts.

    Raises:
        UserError: the source cannot be read to its end, or none of its files can be used.
    """
    return _summarize(uri, _examined(uri, limit))


def run_inspect(path: str, limit: int = 0, console: Console | None = None) -> int:
    """Inspects `path`, prints the findings and returns the exit code.

    Raises:
        UserError: as `inspect`.
    """
    console = console or Console()
    columns = (SpinnerColumn(), "reading", MofNCompleteColumn(), "files", TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        summary = _summarize(path, progress.track(_examined(path, limit)))
    console.print(render(summary))
    return 0


def render(summary: Summary) -> RenderableType:
    """The summary as the console shows it."""
    tables = (
        _age_table(summary),
        _share_table("race", features.RACES, summary.races),
        _share_table("split", features.SPLITS, summary.splits),
    )
    return Group(_facts(summary), "", Columns(tables, padding=(0, 4)), *_reject_lines(summary))


def _examined(uri: str, limit: int) -> Iterator[logic.Face | Reject]:
    last_key = logic.last_sample_key(uri, limit)
    return logic.examine_source(uri, lambda file: logic.sample_key(file) <= last_key)


def _summarize(uri: str, examined: Iterable[logic.Face | Reject]) -> Summary:
    summary = Summary(uri)
    started = time.monotonic()
    for face in examined:
        if isinstance(face, Reject):
            _add_reject(summary, face)
        else:
            _add_face(summary, face)
    summary.seconds = time.monotonic() - started
    if not summary.usable:
        raise logic.nothing_usable(uri, summary.rejected)
    return summary


def _add_reject(summary: Summary, reject: Reject) -> None:
    summary.rejected[reject.reason] += 1
    first = summary.first_rejects.setdefault(reject.reason, [])
    if len(first) < NAMED_REJECTS:
        first.append(reject)


def _add_face(summary: Summary, face: logic.Face) -> None:
    summary.usable += 1
    summary.jpeg_bytes += len(face.jpeg)
    group, gender = features.age_group(face.labels.age), features.GENDERS[face.labels.gender]
    summary.ages[group, gender] += 1
    summary.races[features.RACES[face.labels.race]] += 1
    summary.splits[logic.split_of(face.image_sha256)] += 1
    summary.sizes[face.width, face.height] += 1
    summary.copies[bytes.fromhex(face.image_sha256)] += 1


def _facts(summary: Summary) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_row("source", Text(summary.uri))
    facts.add_row("files", f"{summary.files:,} ({summary.files / summary.seconds:,.0f}/s)")
    facts.add_row("usable", f"{summary.usable:,} ({summary.jpeg_bytes / 1e6:,.1f} MB as JPEG)")
    facts.add_row("rejected", f"{summary.rejected.total():,}")
    facts.add_row("size", _sizes(summary))
    facts.add_row(
        "duplicates",
        f"{summary.duplicate_groups:,} pictures in more than one file, pixel for pixel "
        f"({summary.surplus_files:,} surplus files)",
    )
    facts.add_row("time", f"{summary.seconds:.1f} s")
    return facts


def _sizes(summary: Summary) -> str:
    (width, height), most = summary.sizes.most_common(1)[0]
    if most == summary.usable:
        return f"{width} x {height} pixels"
    sides = sorted(min(size) for size in summary.sizes.elements())
    return (
        f"{width} x {height} pixels ({most / summary.usable:.0%} of them); shorter side "
        f"{sides[0]} to {sides[-1]}, median {statistics.median_low(sides)}"
    )


def _age_table(summary: Summary) -> Table:
    table = _table("age", *features.GENDERS, "all")
    for group in features.AGE_GROUPS:
        counts = [summary.ages[group, gender] for gender in features.GENDERS]
        table.add_row(group, *(f"{count:,}" for count in (*counts, sum(counts))))
    return table


def _share_table(title: str, names: Iterable[str], counts: Mapping[str, int]) -> Table:
    table = _table(title, "files", "share")
    for name in names:
        table.add_row(name, f"{counts[name]:,}", f"{counts[name] / sum(counts.values()):.1%}")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(first)
    for other in others:
        table.add_column(other, justify="right")
    return table


def _reject_lines(summary: Summary) -> Iterator[Text]:
    for reason, count in summary.rejected.most_common():
        yield Text(f"{count:,} {reason}:")
        for reject in summary.first_rejects[reason]:
            yield Text(f"  {reject.file}: {reject.detail}")
        if count > NAMED_REJECTS:
            yield Text(f"  and {count - NAMED_REJECTS:,} more")
