"""A SavedModel's outer shape, and a publisher that is killed at a moment of the caller's choice."""

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from serving.versions import publish

SIZE = 64_000
NAMES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
CHANGING_THE_DISK = {
    *("open", "write", "pwrite", "__exit__", "fsync", "mkdir", "rename", "unlink", "rmdir")
}


def write_model(folder: Path, fill: int) -> Path:
    """A folder shaped like a SavedModel whose every byte is `fill`."""
    (folder / "variables").mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes(bytes([fill]) * SIZE)
    return folder


def is_whole(folder: Path) -> bool:
    """Every file is there, full length, and from one and the same model."""
    try:
        contents = {(folder / name).read_bytes() for name in NAMES}
    except FileNotFoundError:
        return False
    return len(contents) == 1 and len(contents.pop()) == SIZE


def publish_and_die(source: Path, model_dir: Path, step: int) -> None:
    """Publish, but die by SIGKILL at the `step`-th call that changes the disk, if any."""
    # Copy in small pieces, so that it can die inside a file.
    shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]
    shutil.COPY_BUFSIZE = SIZE // 2  # type: ignore[attr-defined]
    steps = 0

    def count(_frame: FrameType, event: str, function: Any) -> None:
        nonlocal steps
        if event == "c_call" and function.__name__ in CHANGING_THE_DISK:
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1

    sys.setprofile(count)
    publish(source, model_dir)
    sys.setprofile(None)


if __name__ == "__main__":
    publish_and_die(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
