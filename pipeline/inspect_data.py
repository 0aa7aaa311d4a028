"""`agegender data inspect`: what a folder or archive of face pictures holds, before any training.

Reads it and decides on every file as the pipeline's first node does under the same settings; writes
nothing and imports no TensorFlow.
"""

import statistics
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
from rich.bar import Bar
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from components.face_example_gen import curation, label_file, logic
from components.face_example_gen.label_file import LabelFile
from components.face_example_gen.ledger import Cell, Ledger
from components.face_example_gen.policy import DEFAULT_BALANCE, DEFAULT_POLICY, Balance, Policy
from components.face_example_gen.rejects import Reject
from schema import features

NAMED_REJECTS = 10
_BAR_WIDTH = 16  # characters; two of them and the figures fit into 80


@dataclass(frozen=True)
class Summary:
    """What a source holds. All but `ledger` and `rejects` is of the faces that are used.

    Attributes:
      uri: the source.
      ledger: what became of every file.
      rejects: sorted by reason, the most frequent first, then by file.
      sizes: counts by width and height, pixels.
      jpeg_bytes: as they would be stored.
      brightness: a figure per face, in no order; see `schema.features`.
      sharpness: likewise.
      seconds: that reading it took.
    """

    uri: str
    ledger: Ledger
    rejects: list[Reject]
    sizes: Counter[tuple[int, int]]
    jpeg_bytes: int
    brightness: npt.NDArray[np.float64]
    sharpness: npt.NDArray[np.float64]
    seconds: float


def inspect(
    uri: str,
    limit: int = 0,
    policy: Policy = DEFAULT_POLICY,
    balance: Balance = DEFAULT_BALANCE,
    labels: LabelFile | None = None,
) -> Summary:
    """Reads and decodes every file at `uri`, or `limit` of them spread over it, and counts.

    Args:
      uri: folder or archive.
      limit: how many files; 0 for all.
      policy: which files are fit for use.
      balance: which of them are left out by choice.
      labels: where labels are; in names if None.

    Raises:
        UserError: the source cannot be read to its end, or none of its files can be used.
    """
    return _summarize(uri, _examined(uri, limit, policy, labels), policy, balance)


def run_inspect(
    path: str,
    limit: int = 0,
    policy: Policy = DEFAULT_POLICY,
    balance: Balance = DEFAULT_BALANCE,
    labels: LabelFile | None = None,
    console: Console | None = None,
) -> int:
    """Inspects `path`, prints the findings and returns the exit code.

    Args and Raises: as `inspect`; the console is the terminal if none.
    """
    console = console or Console()
    columns = (SpinnerColumn(), "reading", MofNCompleteColumn(), "files", TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        examined = progress.track(_examined(path, limit, policy, labels))
        summary = _summarize(path, examined, policy, balance)
    console.print(render(summary))
    return 0


def render(summary: Summary) -> RenderableType:
    """The summary as the console shows it."""
    used = summary.ledger.used
    tables = _split_table(used), _race_table(used)
    return Group(
        _facts(summary),
        "",
        _age_table(used),
        Columns(tables, padding=(0, 4)),
        *_reject_lines(summary.rejects),
    )


def _examined(
    uri: str, limit: int, policy: Policy, labels: LabelFile | None
) -> Iterator[logic.Face | Reject]:
    last_key = logic.last_sample_key(uri, limit)
    table = label_file.read(labels) if labels else None
    return logic.examine_source(uri, lambda file: logic.sample_key(file) <= last_key, policy, table)


def _summarize(
    uri: str, examined: Iterable[logic.Face | Reject], policy: Policy, balance: Balance
) -> Summary:
    started = time.monotonic()
    rows: list[curation.Row] = []
    unusable: list[Reject] = []
    figures = array("d")  # a quarter of what numbers in tuples take
    for face in examined:
        if isinstance(face, Reject):
            unusable.append(face)
            continue
        rows.append(curation.Row(face.file, face.image_sha256, face.labels, position=len(rows)))
        figures.extend((face.width, face.height, len(face.jpeg), face.brightness, face.sharpness))
    used, left_out = curation.curate(rows, policy, balance)
    ledger, rejects = curation.account(Counter(map(curation.cell_of, rows)), left_out, unusable)
    if not used:
        raise logic.nothing_usable(uri, ledger.rejected)
    of_used = np.asarray(figures).reshape(-1, 5)[[row.position for row in used]]
    return Summary(
        uri=uri,
        ledger=ledger,
        rejects=sorted(rejects, key=lambda one: (-ledger.rejected[one.reason], one.reason, one)),
        sizes=Counter((int(width), int(height)) for width, height in of_used[:, :2]),
        jpeg_bytes=int(of_used[:, 2].sum()),
        brightness=of_used[:, 3],
        sharpness=of_used[:, 4],
        seconds=time.monotonic() - started,
    )


def _facts(summary: Summary) -> Table:
    files, used = summary.ledger.found, summary.ledger.used.total()
    facts = Table.grid(padding=(0, 2))
    facts.add_row("source", Text(summary.uri))
    facts.add_row("files", f"{files:,} ({files / summary.seconds:,.0f}/s)")
    facts.add_row("used", f"{used:,} ({summary.jpeg_bytes / 1e6:,.1f} MB as JPEG)")
    facts.add_row("rejected", f"{files - used:,} ({(files - used) / files:.1%})")
    facts.add_row("size", _sizes(summary.sizes))
    facts.add_row("brightness", f"{_spread(summary.brightness)} (0 black, 1 white)")
    facts.add_row("sharpness", f"{_spread(summary.sharpness)} (higher is sharper)")
    facts.add_row("time", f"{summary.seconds:.1f} s")
    return facts


def _sizes(sizes: Counter[tuple[int, int]]) -> str:
    (width, height), most = sizes.most_common(1)[0]
    if most == sizes.total():
        return f"{width} x {height} pixels"
    sides = sorted(min(size) for size in sizes.elements())
    return (
        f"{width} x {height} pixels ({most / len(sides):.0%} of them); shorter side "
        f"{sides[0]} to {sides[-1]}, median {statistics.median_low(sides)}"
    )


def _spread(figures: npt.NDArray[np.float64]) -> str:
    low, median, high = np.quantile(figures, (0.05, 0.5, 0.95))
    return f"median {median:.2f}, nine tenths within {low:.2f} and {high:.2f}"


def _age_table(used: Counter[Cell]) -> Table:
    counts = Counter[tuple[str, int]]()
    for cell, count in used.items():
        counts[features.age_group(cell.age), cell.gender] += count
    longest = max(counts.values())
    table = Table("age")
    for gender in features.GENDERS:
        table.add_column(gender, justify="right")
        table.add_column("", width=_BAR_WIDTH)
    table.add_column("all", justify="right")
    for group in features.AGE_GROUPS:
        of_group = [counts[group, gender] for gender in range(len(features.GENDERS))]
        bars = ((f"{count:,}", Bar(longest, 0, count)) for count in of_group)
        table.add_row(group, *(item for bar in bars for item in bar), f"{sum(of_group):,}")
    return table


def _split_table(used: Counter[Cell]) -> Table:
    table = _table("split", "files", "share", "female", "mean age")
    for name in features.SPLITS:
        cells = Counter({cell: count for cell, count in used.items() if cell.split == name})
        table.add_row(name, *_split_figures(cells, used.total()))
    table.add_section()
    table.add_row("all", *_split_figures(used, used.total()))
    return table


def _split_figures(cells: Counter[Cell], total: int) -> tuple[str, ...]:
    count = cells.total()
    if not count:
        return "0", "0.0%", "", ""
    female = sum(n for cell, n in cells.items() if features.GENDERS[cell.gender] == "female")
    mean_age = sum(cell.age * n for cell, n in cells.items()) / count
    return f"{count:,}", f"{count / total:.1%}", f"{female / count:.1%}", f"{mean_age:.1f}"


def _race_table(used: Counter[Cell]) -> Table:
    table = _table("race", "files", "share")
    counts = Counter[int]()
    for cell, count in used.items():
        counts[cell.race] += count
    for race, name in enumerate(features.RACES):
        table.add_row(name, f"{counts[race]:,}", f"{counts[race] / counts.total():.1%}")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(first)
    for other in others:
        table.add_column(other, justify="right")
    return table


def _reject_lines(rejects: list[Reject]) -> Iterator[Text]:
    for reason, group in groupby(rejects, key=lambda one: one.reason):
        of_reason = list(group)
        yield Text(f"{len(of_reason):,} {reason}:")
        for reject in of_reason[:NAMED_REJECTS]:
            yield Text(f"  {reject.file}: {reject.detail}")
        if len(of_reason) > NAMED_REJECTS:
            yield Text(f"  and {len(of_reason) - NAMED_REJECTS:,} more")
