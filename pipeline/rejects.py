"""`agegender data rejects`: the files the last run did not use, and a sheet of label conflicts."""

import base64
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
from PIL import Image
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from components.face_example_gen import label_file, logic
from components.face_example_gen.labels import Labels, parse_name
from components.face_example_gen.ledger import REJECTS_FILE, parse_rejects
from components.face_example_gen.policy import Policy
from components.face_example_gen.rejects import Reason, Reject
from components.face_example_gen.sources import read_entries
from pipeline import record
from pipeline.errors import EXIT_USAGE, UserError
from pipeline.visible import visible
from schema import features

# Of a picture on the sheet, pixels; larger ones are made smaller.
_LARGEST_SIDE = 400

_ANY = Labels(0, 0, 0)  # where only pixels matter

_PAGE = jinja2.Environment(
    loader=jinja2.PackageLoader("pipeline"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Conflict:
    """Files with the same pixels whose labels contradict each other, sorted by name."""

    image_sha256: str
    files: tuple[str, ...]
    labels: tuple[Labels, ...]

    @property
    def years(self) -> int:
        """Between the lowest and the highest age."""
        ages = [labels.age for labels in self.labels]
        return max(ages) - min(ages)

    @property
    def genders(self) -> list[str]:
        """Every gender that is claimed."""
        return [features.GENDERS[i] for i in sorted({labels.gender for labels in self.labels})]


def run_rejects(
    workdir: Path,
    reason: str | None,
    as_json: bool,
    conflicts: Path | None,
    console: Console | None = None,
) -> int:
    """Prints what the last run in `workdir` did not use, or writes the sheet of its conflicts.

    Args:
      workdir: the work folder of a run.
      reason: only the files rejected for it; None for all.
      as_json: print the lines of `rejects.jsonl` as they are.
      conflicts: write an HTML page of all label conflicts here, instead of a list.
      console: where to print; the terminal if None.

    Returns:
      The exit code.

    Raises:
      UserError: there is no such reason, no run yet, or its data are gone.
    """
    console = console or Console()
    _check(reason, as_json, conflicts)
    run = _ingestion(workdir)
    lines = _lines(run)
    rejects = parse_rejects("\n".join(lines))
    if conflicts:
        _write_sheet(conflicts, run, rejects, console)
    elif as_json:
        for line, reject in zip(lines, rejects, strict=True):
            if reason in (None, reject.reason):
                console.file.write(f"{line}\n")
    else:
        _print(console, run, rejects, Reason(reason) if reason else None)
    return 0


def find_conflicts(
    rejects: Iterable[Reject], label: Callable[[str], Labels | Reject] = parse_name
) -> list[Conflict]:
    """The conflicts among all rejects, the largest contradiction first.

    Args:
      rejects: of a run.
      label: the labels of a file.
    """
    copies = defaultdict(list)
    for reject in rejects:
        labels = label(reject.file)
        if reject.reason is Reason.LABEL_CONFLICT and not isinstance(labels, Reject):
            copies[reject.image_sha256].append((reject.file, labels))
    found = [
        Conflict(digest, *zip(*sorted(files), strict=True)) for digest, files in copies.items()
    ]
    return sorted(found, key=lambda one: (-one.years, -len(one.genders), one.files))


def read_pictures(uri: str, conflicts: Iterable[Conflict], policy: Policy) -> dict[str, bytes]:
    """A JPEG of each conflict by the digest of its pixels, as far as `uri` still holds it.

    Reads the source as a stream, and of every conflict's files the first that still has its pixels.

    Raises:
      UserError: the source cannot be read.
    """
    digests = {file: one.image_sha256 for one in conflicts for file in one.files}
    found: dict[str, bytes] = {}

    def wanted(file: str) -> bool:
        return file in digests and digests[file] not in found

    for file, data in read_entries(uri, wanted, policy.max_file_bytes):
        face = logic.examine(file, data, policy, lambda _: _ANY)
        if isinstance(face, logic.Face) and face.image_sha256 == digests[file]:
            found[face.image_sha256] = _small(face.jpeg)
    return found


def render_sheet(source: str, conflicts: list[Conflict], pictures: Mapping[str, bytes]) -> str:
    """The HTML of the sheet: needs nothing but itself."""
    return _PAGE.get_template("conflicts.html.j2").render(
        source=visible(source),
        conflicts=conflicts,
        file_count=sum(len(one.files) for one in conflicts),
        gender_count=sum(len(one.genders) > 1 for one in conflicts),
        pictures={digest: base64.b64encode(data).decode() for digest, data in pictures.items()},
        genders=features.GENDERS,
        races=features.RACES,
        visible=visible,
        zip=zip,
    )


def _check(reason: str | None, as_json: bool, conflicts: Path | None) -> None:
    known = [str(one) for one in Reason]
    if reason is not None and reason not in known:
        raise UserError(f"unknown reason {reason!r}: it is one of {', '.join(known)}", EXIT_USAGE)
    if as_json and conflicts:
        raise UserError("give --json or --conflicts, not both", EXIT_USAGE)


def _ingestion(workdir: Path) -> record.NodeRun:
    database = workdir / "metadata.db"
    runs = (
        record.runs_of(record.open_store(database), "FaceExampleGen") if database.exists() else []
    )
    done = next((run for run in runs if run.succeeded), None)
    if done is None:
        raise UserError(f"{workdir}: no run has read data here; run agegender run first")
    return done


def _lines(run: record.NodeRun) -> list[str]:
    path = run.outputs["rejects"].path / REJECTS_FILE
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; run agegender run again") from error


def _print(
    console: Console, run: record.NodeRun, rejects: list[Reject], reason: Reason | None
) -> None:
    said = run.outputs["rejects"].properties
    counts = Counter(reject.reason for reject in rejects)
    console.print(
        f"{said['total']:,} files: {said['used']:,} used, {len(rejects):,} rejected",
        highlight=False,
    )
    reasons = [reason] if reason else [one for one, _ in counts.most_common()]
    table = Table("reason")
    table.add_column("files", justify="right")
    for one in reasons:
        table.add_row(one, f"{counts[one]:,}")
    if reasons:
        console.print(table)
    for one in reasons:
        console.print(f"\n[bold]{one}[/]", highlight=False)
        for reject in rejects:
            if reject.reason is one:
                _print_one(console, reject)


def _print_one(console: Console, reject: Reject) -> None:
    line = Text.assemble(visible(reject.file), (f": {visible(reject.detail)}", "dim"))
    if console.is_terminal:
        console.print(Padding(line, (0, 0, 0, 2), expand=False))
    else:  # a line each, for grep
        console.print(line, soft_wrap=True)


def _write_sheet(path: Path, run: record.NodeRun, rejects: list[Reject], console: Console) -> None:
    uri = run.parameters["data_uri"]
    found = find_conflicts(rejects, _labeller(run))
    if not found:
        console.print("No labels contradict each other: there is nothing to write")
        return
    if not Path(uri).exists():
        raise UserError(f"{uri}: the pictures of that run are gone; put them back and try again")
    policy = Policy.model_validate_json(run.parameters.get("policy") or "{}")
    with console.status("Reading the pictures"):
        pictures = read_pictures(uri, found, policy)
    try:
        path.write_text(render_sheet(uri, found, pictures), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    missing = len(found) - len(pictures)
    lost = f"; {missing:,} no longer in {uri}" if missing else ""
    said = f"{len(found):,} pictures with contradicting labels{lost}: see {path}"
    console.print(said, soft_wrap=True, markup=False, highlight=False)


def _labeller(run: record.NodeRun) -> Callable[[str], Labels | Reject]:
    """What tells the labels of a run's files, as it was told itself."""
    told = run.parameters
    uri, columns = told["data_uri"], told.get("label_columns") or "{}"
    labels = label_file.told(uri, told.get("labels_uri") or "", columns)
    return label_file.read(labels).label if labels else parse_name


def _small(jpeg: bytes) -> bytes:
    image = Image.open(io.BytesIO(jpeg))
    if max(image.size) <= _LARGEST_SIDE:
        return jpeg
    image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    small = io.BytesIO()
    image.convert("RGB").save(small, "JPEG", quality=90)
    return small.getvalue()
