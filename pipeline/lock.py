"""One at a time in a work folder: sqlite's ML Metadata takes no two writers."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError


@contextmanager
def only_run(workdir: Path) -> Iterator[None]:
    """Holds the work folder, which must exist; the kernel lets go of it when the process dies.

    Raises:
      UserError: when another process holds it.
    """
    with (workdir / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another run is using {workdir}: wait for it, or give --workdir another folder"
            ) from None
        yield
