"""`agegender export`: a trained model as a TensorFlow Lite or Keras file, checked and described."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from pipeline import exportable, publications, quiet
from pipeline.errors import EXIT_USAGE, UserError
from pipeline.exportable import Exportable
from serving.exports.kinds import Format, Quantize

if TYPE_CHECKING:
    from trainer.runs import Run

REPRESENTATIVE = 200  # faces of split train that int8's ranges are measured on
SEED = 0
_TIMED = 32  # pictures


@dataclass(frozen=True)
class Wanted:
    """What to export, and where to.

    Attributes:
      format: of the file.
      target: a file or a folder; None for `exports` in the work folder.
      version: a served one, the newest where neither this nor a candidate is named.
      candidate: of the last run.
      quantize: what weights become.
      check: whether to hold it against its servable.
      force: whether to write over an earlier export.
    """

    format: Format
    target: Path | None = None
    version: int | None = None
    candidate: str | None = None
    quantize: Quantize = "float32"
    check: bool = True
    force: bool = False


def run_export(workdir: Path, serving_dir: Path | None, wanted: Wanted) -> int:
    """Exports a model and says how good it is; returns the exit code.

    Three files are written: the model, and beside it a .json that says how to ask it and a .md with
    the table that is printed.

    Args:
      workdir: of the run.
      serving_dir: of the served versions; None for the work folder's own.
      wanted: see Wanted.

    Raises:
      UserError: when there is no such model, the target exists, or there is nothing to check it on.
    """
    quiet.prepare_environment()
    store = publications.open_existing(workdir)
    if wanted.candidate:
        found = exportable.of_candidate(store, workdir, wanted.candidate)
    else:
        model_dir = publications.model_folder(workdir, serving_dir)
        found = exportable.of_version(store, model_dir, wanted.version)
    target = _target(wanted, found, workdir)
    splits = _splits(wanted, found)
    log = workdir / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-export.log"
    with quiet.logging_to(log, verbose=False) as console:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside its target, so that what is half done is never seen under its name.
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
            content = _make(console, Path(folder) / target.name, wanted, found, splits)
            for suffix in (".json", ".md", target.suffix):
                path = target.with_suffix(suffix)
                shutil.move(Path(folder) / path.name, path)
        _show(console, target, content)
    return 0


def _target(wanted: Wanted, found: Exportable, workdir: Path) -> Path:
    suffix = f".{wanted.format}"
    given = wanted.target or workdir / "exports"
    if given.suffix == suffix and not given.is_dir():
        target = given
    elif given.suffix and not given.is_dir():
        raise UserError(f"{given}: name a file that ends in {suffix}, or a folder", EXIT_USAGE)
    else:
        kind = "" if wanted.quantize == "float32" else f"-{wanted.quantize}"
        target = given / f"agegender-{found.version or found.candidate}{kind}{suffix}"
    there = [path for end in (suffix, ".json", ".md") if (path := target.with_suffix(end)).exists()]
    if there and not wanted.force:
        raise UserError(f"{there[0]}: exists; --force writes over it")
    return target


def _splits(wanted: Wanted, found: Exportable) -> dict[str, list[str]]:
    """The files of the faces that are needed, by split."""
    needed = {"test": "to check the export on; --no-check exports without"} if wanted.check else {}
    if wanted.quantize == "int8":
        needed["train"] = "to measure int8's ranges on; --quantize float16 needs none"
    splits = {split: found.files(split) for split in needed}
    for split, files in splits.items():
        if not files:
            raise UserError(f"{found.examples}: no faces of split {split} {needed[split]}")
    return splits


def _make(
    console: Console,
    path: Path,
    wanted: Wanted,
    found: Exportable,
    splits: dict[str, list[str]],
) -> dict[str, Any]:
    """Writes the three files; returns what the .json holds."""
    with console.status("Loading TensorFlow"):
        from serving.exports import answering, contract, faces, files, report
        from trainer import runs
    run = runs.read(found.model_run)
    size = run.figures["store_size"]
    with console.status(f"Making {path.name}"):
        drawn = faces.encoded(splits["train"], REPRESENTATIVE, SEED) if "train" in splits else ()
        model = answering.answering(run, found.age_groups)
        files.write(path, model, wanted.quantize, map(faces.decoder(size), drawn))
    origin = contract.Origin(
        found.candidate, found.version, found.run, found.content_digest, found.data_fingerprint
    )
    content = contract.contract(path, wanted.quantize, origin, run, found.age_groups)
    if "train" in splits:
        content["representative"] = {"split": "train", "faces": REPRESENTATIVE, "seed": SEED}
    content["check"] = _check(console, path, found, splits["test"], run) if wanted.check else None
    path.with_suffix(".json").write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    path.with_suffix(".md").write_text(report.markdown(path.name, content), "utf-8")
    return content


def _check(
    console: Console, path: Path, found: Exportable, test: Sequence[str], run: "Run"
) -> dict[str, Any]:
    from serving.exports import check, faces, files, speed

    size = run.figures["store_size"]
    ask = files.asking(str(path), threads=len(os.sched_getaffinity(0)))
    bar = Progress(
        "Checking", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=sum(1 for _ in faces.encoded(test)))
        checked = check.check(
            str(found.servable), ask, test, size, found.age_groups,
            lambda count: bar.advance(task, count),
        )  # fmt: skip
    with console.status("Timing"):
        pictures = [picture for picture, _ in zip(faces.encoded(test), range(_TIMED), strict=False)]
        timed = speed.measure(str(found.servable), str(path), pictures, size)
    whole = [one for one in found.servable.rglob("*") if one.is_file()]
    weighed = {
        "servable": sum(one.stat().st_size for one in whole if "assets.extra" not in one.parts),
        "export": path.stat().st_size,
    }
    return {**checked, "bytes": weighed, "speed": timed}


def _show(console: Console, target: Path, content: dict[str, Any]) -> None:
    from serving.exports import check, report

    checked = content["check"]
    if checked is None:
        console.print("Not checked against its SavedModel.")
    else:
        table = Table(
            title=report.title(checked),
            title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        )  # fmt: skip
        for place, heading in enumerate(report.HEAD):
            table.add_column(heading, justify="right" if place else "left")
        for row in report.rows(checked):
            table.add_row(*row)
        console.print(table)
        console.print(report.apart(checked), soft_wrap=True)
        if worse := check.too_far(checked):
            more = " (--quantize float16 costs less)" if content["quantize"] == "int8" else ""
            console.print(f"[yellow]Costs much: {', '.join(worse)}{more}[/]", soft_wrap=True)
    model = content["model"]
    of = f"version {model['version']}" if model["version"] else f"candidate {model['candidate']}"
    console.print(
        f"Exported {of} to {target}, how to ask it to {target.with_suffix('.json').name}",
        soft_wrap=True, markup=False,
    )  # fmt: skip
