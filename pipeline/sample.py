"""The built-in sample: drawn faces in the shape of UTKFace, for a first run without any data.

Picture i of a sample depends on the seed and i alone, so a small sample is the beginning of a
large one, and a sample that was cut short is finished, not begun again.
"""

import io
import json
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.errors import UserError
from pipeline.faces_drawing import draw_face
from schema.features import GENDERS, MAX_AGE

__all__ = ["GENERATOR_VERSION", "contact_sheet", "draw_face", "sample_labels", "write_sample"]

GENERATOR_VERSION = 1  # goes up whenever the same (seed, i) draws another picture
MARKER = ".sample.json"  # hidden: not a picture to be rejected

Label = tuple[int, int, int]  # age in years, gender, race
Progress = Callable[[int], None]

# Relative frequency of ages in UTKFace, read off its file names: small children, the twenties, a
# long tail. Linear between the knots.
_AGE_KNOTS = (0, 1, 2, 4, 7, 12, 16, 20, 24, 26, 28, 31, 35, 40, 50, 56, 66, 76, 86, 96, 116)
_AGE_WEIGHTS = (
    2.2, 3.6, 2.0, 1.2, 0.8, 0.5, 0.8, 1.3, 3.2, 6.0, 3.4, 2.4, 2.2, 1.4, 1.0, 0.95, 0.6, 0.3,
    0.25, 0.06, 0.015,
)  # fmt: skip
_RACE_SHARES = (0.42, 0.19, 0.15, 0.17, 0.07)
_FEMALE_SHARE = 0.48

# What a random stream is for, beside seed and i.
_LABELS, _PIXELS, _ENCODER = range(3)
_PICTURES_PER_TASK = 20
_FIRST_STAMP = datetime(2017, 1, 1)


def sample_labels(count: int, seed: int = 0) -> list[Label]:
    """(age, gender, race) of the first `count` pictures of the sample `seed`.

    Ages follow UTKFace's roughly and evenly: 300 labels or more hold every age group.
    """
    start = float(np.random.default_rng(seed).random())
    return [_label(index, seed, start) for index in range(count)]


def write_sample(
    directory: Path,
    count: int,
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw `count` faces into `directory` as JPEGs with UTKFace names.

    The directory appears whole or not at all: pictures are drawn into a hidden sibling, which is
    then renamed. A finished sample is recognised by its marker and left as it is; after a stop the
    same call draws what is missing.

    Args:
        directory: new or empty, or one that holds this very sample.
        count: pictures.
        seed: 0 or more.
        jobs: processes; by default one per usable core. With 1 no process is started.
        progress: called with the number of pictures there are so far.

    Returns:
        The pictures' paths, in the order of `sample_labels`.

    Raises:
        UserError: `directory` holds something else, or cannot be written.
    """
    if count < 1 or seed < 0:
        raise UserError(f"a sample takes count >= 1 and seed >= 0, got count={count}, seed={seed}")
    names = [_file_name(index, label) for index, label in enumerate(sample_labels(count, seed))]
    paths = [directory / name for name in names]
    marker = {"count": count, "seed": seed, "generator_version": GENERATOR_VERSION}
    target = directory.resolve()
    try:
        if _is_finished(target, marker, names):
            return paths
        staging = target.parent / f".{target.name}.{count}-{seed}-v{GENERATOR_VERSION}.partial"
        staging.mkdir(parents=True, exist_ok=True)
        _draw_missing(staging, names, seed, jobs, progress)
        for stray in set(os.listdir(staging)) - set(names):
            (staging / stray).unlink()
        (staging / MARKER).write_text(json.dumps(marker) + "\n")
        staging.rename(target)
    except OSError as error:
        # Another process may have finished the same sample in the meantime.
        if not _is_finished(target, marker, names):
            raise UserError(f"cannot write the sample to {directory}: {error}") from error
    return paths


def contact_sheet(paths: Sequence[Path], columns: int, tile: int = 160) -> Image.Image:
    """The pictures in rows of `columns`, `tile` pixels wide each, with age and gender below."""
    if not paths or columns < 1:
        raise UserError("a contact sheet takes at least one picture and one column")
    caption = max(12, tile // 9)
    font = ImageFont.load_default(caption - 2)
    rows = math.ceil(len(paths) / columns)
    sheet = Image.new("RGB", (columns * tile, rows * (tile + caption)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, path in enumerate(paths):
        left, top = place % columns * tile, place // columns * (tile + caption)
        with Image.open(path) as picture:
            sheet.paste(picture.convert("RGB").resize((tile, tile), Image.Resampling.LANCZOS),
                        (left, top))  # fmt: skip
        age, gender = path.name.split("_")[:2]
        pen.text((left + tile / 2, top + tile + caption / 2), f"{age} {GENDERS[int(gender)]}",
                 fill="black", font=font, anchor="mm")  # fmt: skip
    return sheet


def _label(index: int, seed: int, start: float) -> Label:
    # Multiples of the golden ratio fill 0..1 evenly, however many are taken.
    even = (start + index * (math.sqrt(5) - 1) / 2) % 1
    age = int(np.searchsorted(_AGE_CUMULATIVE, even, side="right"))
    rng = np.random.default_rng((seed, index, _LABELS))
    gender = int(rng.random() < _FEMALE_SHARE)
    race = int(np.searchsorted(np.cumsum(_RACE_SHARES[:-1]), rng.random(), side="right"))
    return min(age, MAX_AGE), gender, race


def _age_cumulative() -> np.ndarray:
    weights = np.interp(np.arange(MAX_AGE + 1), _AGE_KNOTS, _AGE_WEIGHTS)
    return np.cumsum(weights / weights.sum())


_AGE_CUMULATIVE = _age_cumulative()


def _file_name(index: int, label: Label) -> str:
    # A prime number of milliseconds apart: unique, and as uneven as true time stamps.
    stamp = _FIRST_STAMP + timedelta(milliseconds=index * 47_161_189)
    age, gender, race = label
    digits = f"{stamp:%Y%m%d%H%M%S}{stamp.microsecond // 1000:03d}"
    return f"{age}_{gender}_{race}_{digits}.jpg.chip.jpg"


def _is_finished(target: Path, marker: dict[str, int], names: list[str]) -> bool:
    """Whether `target` holds the sample `marker` stands for; a UserError if it holds another."""
    if not target.exists():
        return False
    if not target.is_dir():
        raise UserError(f"{target} is a file: name a new or empty directory for the sample")
    found = os.listdir(target)
    if not found:
        return False
    if MARKER not in found:
        raise UserError(
            f"{target} is not empty and holds no finished sample (it has {min(found)!r}): "
            "name a new or empty directory"
        )
    try:
        held = json.loads((target / MARKER).read_text())
    except ValueError:
        held = None
    if held != marker:
        raise UserError(
            f"{target} holds another sample ({held}, not {marker}): "
            "name another directory or remove this one"
        )
    missing = len(set(names).difference(found))
    if missing:
        raise UserError(f"{target} lacks {missing} of its {len(names)} pictures: remove it")
    return True


def _draw_missing(
    staging: Path, names: list[str], seed: int, jobs: int | None, progress: Progress | None
) -> None:
    there = set(os.listdir(staging))
    todo = [index for index, name in enumerate(names) if name not in there]
    tasks = [todo[at : at + _PICTURES_PER_TASK] for at in range(0, len(todo), _PICTURES_PER_TASK)]
    jobs = min(jobs or len(os.sched_getaffinity(0)), len(tasks))
    drawn = len(names) - len(todo)
    for finished in _draw_tasks(staging, names, seed, tasks, jobs):
        drawn += finished
        if progress:
            progress(drawn)


def _draw_tasks(
    staging: Path, names: list[str], seed: int, tasks: list[list[int]], jobs: int
) -> Iterator[int]:
    """Draw all tasks; yields how many pictures each held as it is done."""
    work = [(staging, seed, [(index, names[index]) for index in task]) for task in tasks]
    if jobs <= 1:
        yield from (_draw_pictures(*args) for args in work)
        return
    # Not forked: the caller may have threads of TensorFlow's running, whose locks a fork copies.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker) as pool:
        try:
            futures = [pool.submit(_draw_pictures, *args) for args in work]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it even when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _draw_pictures(directory: Path, seed: int, pictures: list[tuple[int, str]]) -> int:
    """Draw the pictures (index, file name) into `directory`, each there whole or not at all."""
    for index, name in pictures:
        age, gender, race = (int(field) for field in name.split("_")[:3])
        face = draw_face(np.random.default_rng((seed, index, _PIXELS)), age, gender, race)
        encoded = io.BytesIO()
        quality = int(np.random.default_rng((seed, index, _ENCODER)).integers(60, 96))
        face.save(encoded, "JPEG", quality=quality)
        half = directory / f".{name}.{os.getpid()}"
        half.write_bytes(encoded.getvalue())
        half.replace(directory / name)
    return len(pictures)
