"""Sheets of faces: the worst mistakes, where the model looks, what spoilt pictures are."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from PIL import Image

from components.model_report.answers import Answers
from components.model_report.pictures.style import INK
from schema import features

MISTAKES = 8  # of either kind
_SIDE = 160  # pixels of a face on a sheet, at most

MISTAKES_INCHES = (9.4, 6.9)
LOOKS_INCHES = (9.4, 5.4)
SPOILT_INCHES = (9.4, 2.5)


def worst_ages(found: Answers) -> npt.NDArray[np.integer]:
    """The faces whose ages are furthest off, the furthest first."""
    return np.argsort(-np.abs(found.error), kind="stable")[:MISTAKES]


def worst_genders(found: Answers) -> npt.NDArray[np.integer]:
    """Of those taken for the other gender, the ones that was said of most surely."""
    sure = np.abs(found.female_probability - 0.5)
    wrong = np.flatnonzero(found.taken_for_female != found.female)
    return wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]


def mistakes(figure: Figure, found: Answers, pictures: Mapping[int, bytes]) -> None:
    """Two rows of the worst ages and two of the worst genders, with truth and answer below."""
    ages, genders = worst_ages(found), worst_genders(found)
    above, below = np.ravel(np.array(figure.subfigures(2, 1)))
    _row(above, "Ages furthest off", ages, pictures, [_age_words(found, i) for i in ages])
    title = "Genders most surely wrong" if len(genders) else "No gender was wrong"
    _row(below, title, genders, pictures, [_gender_words(found, i) for i in genders])


def _age_words(found: Answers, index: int) -> str:
    low, high = (found.outputs[end][index] for end in (features.OUT_AGE_LOW, features.OUT_AGE_HIGH))
    answer = f"answered {found.age[index]:.0f} ({low:.0f}-{high:.0f})"
    return f"true age {found.true_age[index]:.0f}\n{answer}"


def _gender_words(found: Answers, index: int) -> str:
    female = found.female_probability[index]
    sure = max(female, 1 - female)
    said = features.GENDERS[int(found.taken_for_female[index])]
    return f"{features.GENDERS[int(found.female[index])]}\nanswered {said}, {sure:.0%}"


def _row(
    part: SubFigure,
    title: str,
    faces: npt.NDArray[np.integer],
    pictures: Mapping[int, bytes],
    captions: Sequence[str],
) -> None:
    part.suptitle(title, x=0.01, ha="left", fontsize=12)
    grid = part.subplots(2, MISTAKES // 2, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, index, caption in zip(grid, faces, captions, strict=False):
        _face(axes, pictures[int(index)], caption)


def some_faces(found: Answers, count: int) -> npt.NDArray[np.integer]:
    """Faces of ages spread from the youngest to the oldest, women and men in turn."""
    order = np.lexsort((found.female, found.true_age))
    chosen: list[int] = []
    for place in range(count):
        near = order[round(place * (len(order) - 1) / max(count - 1, 1)) :]
        before = order[: len(order) - len(near)][::-1]
        candidates = [i for i in (*near, *before) if i not in chosen]
        wanted = [i for i in candidates if found.female[i] == place % 2]
        if candidates:
            chosen.append(int((wanted or candidates)[0]))
    return np.array(chosen)


def looks(
    figure: Figure,
    found: Answers,
    faces: npt.NDArray[np.integer],
    pixels: npt.NDArray[np.uint8],
    heat: Mapping[str, npt.NDArray[np.float32]],
) -> None:
    """A row of faces as the model sees them, and below what speaks for its answers.

    Args:
      figure: to draw on.
      found: labels and answers.
      faces: which, [n].
      pixels: of the same, [n, side, side, 3], 0 to 255.
      heat: see `gradcam.heat_maps`.
    """
    grid = figure.subplots(3, len(faces), squeeze=False)
    side = pixels.shape[1]
    for column, index in enumerate(faces):
        grid[0][column].imshow(pixels[column])
        grid[0][column].set_title(_truth(found, index), fontsize=9, loc="center")
        for row, answer, words in (
            (1, features.AGE, f"age {found.age[index]:.0f}"),
            (2, features.GENDER, _said(found, index)),
        ):
            axes = grid[row][column]
            axes.imshow(np.asarray(Image.fromarray(pixels[column]).convert("L")), cmap="gray")
            axes.imshow(
                heat[answer][column], cmap="inferno", alpha=0.5, vmin=0, vmax=1,
                extent=(-0.5, side - 0.5, side - 0.5, -0.5), interpolation="bilinear",
            )  # fmt: skip
            axes.set_title(words, fontsize=9, loc="center")
    for row, name in enumerate(("picture", "older", "gender answered")):
        grid[row][0].set_ylabel(name)
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)


def _truth(found: Answers, index: int) -> str:
    return f"{features.GENDERS[int(found.female[index])]}, {found.true_age[index]:.0f}"


def _said(found: Answers, index: int) -> str:
    return features.GENDERS[int(found.taken_for_female[index])]


def spoilt(figure: Figure, pictures: Sequence[tuple[str, bytes]]) -> None:
    """One face in a row, as found and spoilt, with what was done to it below."""
    grid = figure.subplots(1, len(pictures), squeeze=False)[0]
    for axes, (words, picture) in zip(grid, pictures, strict=True):
        _face(axes, picture, words.replace(": ", "\n"))


def _face(axes: Axes, picture: bytes, caption: str) -> None:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    axes.imshow(np.asarray(image))
    axes.axis("off")
    axes.text(
        0.5, -0.04, caption, transform=axes.transAxes, ha="center", va="top",
        fontsize=9, color=INK,
    )  # fmt: skip
