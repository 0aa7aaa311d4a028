"""Drawn faces for people to try a model on: each alone, and all in one picture."""

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.sample import write_sample

COUNT = 6
SEED = 5
_ACROSS = 3


def write_examples(folder: Path) -> list[Path]:
    """Draws COUNT faces into a new folder, and a picture that shows them together.

    Returns:
      The pictures' paths, that of all faces first.

    Raises:
      UserError: the folder cannot be written.
    """
    drawn = write_sample(folder, COUNT, SEED, jobs=1)
    faces = [np.asarray(Image.open(path)) for path in drawn]
    rows = [np.hstack(faces[begin : begin + _ACROSS]) for begin in range(0, COUNT, _ACROSS)]
    together = folder / "together.jpg"
    Image.fromarray(np.vstack(rows)).save(together, quality=95)
    named = [folder / f"drawn-{place}.jpg" for place in range(1, COUNT + 1)]
    for path, name in zip(drawn, named, strict=True):
        path.rename(name)
    for hidden in folder.glob(".*"):  # what would take the folder for a sample
        hidden.unlink()
    return [together, *named]
