"""What pictures that are dark, blurred, badly compressed or turned do to the answers."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from components.model_report.answers import Answers

AS_FOUND = "as found"
DECODED = 64  # pictures in memory

Outputs = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Change:
    """One way to spoil a picture.

    Attributes:
      name: in one word.
      strengths: from the mildest.
      words: a strength for people, as a format.
      make: the picture, a strength and the face's place to the spoilt one, encoded.
    """

    name: str
    strengths: tuple[float, ...]
    words: str
    make: Callable[[Image.Image, float, int], bytes]


def _darker(picture: Image.Image, share: float, _: int) -> bytes:
    return _png(ImageEnhance.Brightness(picture).enhance(share))


def _blurred(picture: Image.Image, share: float, _: int) -> bytes:
    return _png(picture.filter(ImageFilter.GaussianBlur(share * min(picture.size))))


def _compressed(picture: Image.Image, quality: float, _: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(quality))
    return buffer.getvalue()


def _rotated(picture: Image.Image, degrees: float, index: int) -> bytes:
    """Every other face the other way round; beyond its borders a picture goes on mirrored."""
    width, height = picture.size
    # What turns into view is never further away than the corners are.
    reach = math.hypot(width, height) / 2
    x, y = (math.ceil(reach - side / 2) for side in (width, height))
    wide = np.pad(np.asarray(picture), ((y, y), (x, x), (0, 0)), "symmetric")
    turned = Image.fromarray(wide).rotate(
        degrees if index % 2 else -degrees, Image.Resampling.BICUBIC
    )
    return _png(turned.crop((x, y, x + width, y + height)))


CHANGES = (
    Change("darker", (0.5, 0.25, 0.1), "{:.0%} of the light", _darker),
    Change("blurred", (0.01, 0.02, 0.04), "Gaussian, {:.0%} of the side", _blurred),
    Change("compressed", (30, 10, 5), "JPEG quality {:.0f}", _compressed),
    Change("rotated", (10, 30, 90), "{:.0f}°", _rotated),
)


def subset(faces: int, size: int, seed: int) -> npt.NDArray[np.integer]:
    """Which faces are tried, ascending; all of them where there are no more than `size`."""
    random = np.random.default_rng(seed)
    return np.sort(random.choice(faces, min(size, faces), replace=False))


def table(
    found: Answers,
    pictures: Sequence[bytes],
    ask: Callable[[Sequence[bytes]], Outputs],
) -> list[dict[str, Any]]:
    """A row for the faces as they are and one for every change and strength.

    Args:
      found: labels and answers of the faces as they are.
      pictures: of the same faces, encoded, [n].
      ask: from encoded pictures to the servable's outputs, [n] each.

    Returns:
      Rows of `change`, `strength` (in words), `age_mae` (years), `age_shift` (the mean of how
      much older a face is taken for than as found, years), `gender_accuracy`, `age_coverage`.
    """
    wanted = [(change, strength) for change in CHANGES for strength in change.strengths]
    answered: list[list[Outputs]] = [[] for _ in wanted]
    # Some at a time: decoded, photographs are large.
    for first in range(0, len(pictures), DECODED):
        decoded = list(enumerate(map(_decoded, pictures[first : first + DECODED]), first))
        for (change, strength), outputs in zip(wanted, answered, strict=True):
            outputs.append(ask([change.make(one, strength, index) for index, one in decoded]))
    rows = [{"change": AS_FOUND, "strength": "", **_figures(found, found)}]
    for (change, strength), outputs in zip(wanted, answered, strict=True):
        after = {name: np.concatenate([part[name] for part in outputs]) for name in outputs[0]}
        figures = _figures(Answers(found.labels, after), found)
        rows.append({"change": change.name, "strength": change.words.format(strength), **figures})
    return rows


def _figures(after: Answers, before: Answers) -> dict[str, float]:
    return {
        "age_mae": float(np.mean(np.abs(after.error))),
        "age_shift": float(np.mean(after.age - before.age)),
        "gender_accuracy": float(np.mean(after.taken_for_female == after.female)),
        "age_coverage": float(np.mean(after.in_range)),
    }


def example(picture: bytes) -> list[tuple[str, bytes]]:
    """One face as found and under the strongest of each change, with what was done to it."""
    shown = [(AS_FOUND, picture)]
    for change in CHANGES:
        strength = change.strengths[-1]
        words = f"{change.name}: {change.words.format(strength)}"
        shown.append((words, change.make(_decoded(picture), strength, 1)))
    return shown


def _decoded(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


def _png(picture: Image.Image) -> bytes:
    """Without any loss of its own, and fast: it is read once."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()
