"""The served model's folder, `<serving_dir>/<model name>/<version>/`, in TF Serving's layout.

Servers list the numeric folders at any moment and take the highest, so a version appears by one
rename, whole and already on the disk. Beside the model's folder, in names every lister of models
and versions skips, stand `.<model name>.version` (lock and high-water mark) and, while one is
written, `.<model name>.publishing/`.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PARTS = ("saved_model.pb", "variables/variables.index")
# Warm-up requests change no answer, and fingerprint.pb holds a random id per save: without them
# the same model exported twice has one digest.
_NOT_THE_MODEL = ("assets.extra", "fingerprint.pb")


def list_versions(model_dir: Path) -> list[int]:
    """The complete versions in `model_dir`, ascending; none when there is no such folder."""
    return [
        number
        for number in sorted(_numbers_taken(model_dir))
        if all((model_dir / str(number) / part).is_file() for part in _PARTS)
    ]


def latest(model_dir: Path) -> Path | None:
    """The folder of the version a server would take, or None when there is none."""
    versions = list_versions(model_dir)
    return model_dir / str(versions[-1]) if versions else None


def content_digest(saved_model_dir: Path) -> str:
    """SHA-256 (hex) over the names and bytes of what makes the model.

    Two folders with one digest answer alike. Left out are `assets.extra/` (warm-up requests) and
    `fingerprint.pb`; times, modes and the folder's own name do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in saved_model_dir.rglob("*") if path.is_file()):
        name = path.relative_to(saved_model_dir)
        if name.parts[0] in _NOT_THE_MODEL:
            continue
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(os.fsencode(name.as_posix()) + b"\0" + content.encode() + b"\n")
    return digest.hexdigest()


def serving_state(model_dir: Path) -> str:
    """What is served now, in short: `<version>-<digest>`, or "none".

    Differs after a publication, a rollback, a deletion or a changed file, so a cached node that
    depends on the served model runs again.
    """
    newest = latest(model_dir)
    return f"{newest.name}-{content_digest(newest)[:16]}" if newest else "none"


def publish(source_dir: Path, model_dir: Path) -> int:
    """Copy the SavedModel in `source_dir` to the next version of `model_dir`; return its number.

    Numbers only grow, also when versions were deleted. One publisher at a time: others wait.
    What a killed one left is removed by the next.

    Raises:
        ValueError: `source_dir` holds no SavedModel.
        OSError: the folder cannot be written (nothing is published then).
    """
    if not all((source_dir / part).is_file() for part in _PARTS):
        raise ValueError(f"{source_dir} is not a whole SavedModel: it must hold {_PARTS}")
    # A linked model folder may lie on another file system than its link, and rename cannot cross.
    model_dir = model_dir.resolve()
    model_dir.mkdir(parents=True, exist_ok=True)
    staging = model_dir.with_name(f".{model_dir.name}.publishing")
    with _only_publisher(model_dir.with_name(f".{model_dir.name}.version")) as mark:
        shutil.rmtree(staging, ignore_errors=True)
        try:
            shutil.copytree(source_dir, staging, copy_function=shutil.copyfile)
            _sync_tree(staging)
            version = 1 + max(_read_mark(mark), *_numbers_taken(model_dir), 0)
            # Before the rename: a kill in between wastes a number, the other order could reuse one.
            _write_mark(mark, version)
            os.rename(staging, model_dir / str(version))
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _sync(model_dir)
        _sync(model_dir.parent)
    return version


def _numbers_taken(model_dir: Path) -> set[int]:
    """Every whole number that names something in `model_dir`, complete or not."""
    names = os.listdir(model_dir) if model_dir.is_dir() else []
    return {int(name) for name in names if re.fullmatch("[0-9]+", name)}


@contextmanager
def _only_publisher(path: Path) -> Iterator[int]:
    """Hold the lock on `path` (the kernel drops it when its holder dies); yields the open file."""
    mark = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(mark, fcntl.LOCK_EX)
        yield mark
    finally:
        os.close(mark)


def _read_mark(mark: int) -> int:
    return int(os.pread(mark, 32, 0) or 0)


def _write_mark(mark: int, version: int) -> None:
    # Over the old digits in one write, never truncated first: the number has never fewer digits.
    os.pwrite(mark, str(version).encode(), 0)
    os.fsync(mark)


def _sync_tree(folder: Path) -> None:
    """Put every file and folder below `folder`, and itself, on the disk, contents first."""
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(root, name))
        _sync(Path(root))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
