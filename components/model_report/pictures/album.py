"""All pictures of a report, in the order they are shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from components.model_report.answers import Answers
from components.model_report.pictures import age, curves, gender, sheets, slices
from components.model_report.pictures.style import HALF, WIDE, save
from components.selector.slices import OVERALL, Slices


@dataclass(frozen=True)
class Looks:
    """Faces, as the model sees them, and where it looks: see `sheets.looks`."""

    faces: npt.NDArray[np.integer]
    pixels: npt.NDArray[np.uint8]
    heat: Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Material:
    """What the pictures are drawn from.

    Attributes:
      answers: labels and answers of split test.
      metrics: the Evaluator's figures, by slice and name.
      pictures: of the worst mistakes at least, encoded, by their place in `answers`.
      spoilt: one face as found and spoilt: see `robustness.example`.
      history: of the training, by curve; None where there was none.
      frozen_epochs: how many of its epochs trained the heads alone.
      looks: None where there is no model to look into.
    """

    answers: Answers
    metrics: Slices
    pictures: Mapping[int, bytes]
    spoilt: Sequence[tuple[str, bytes]]
    history: Mapping[str, Sequence[float]] | None = None
    frozen_epochs: int = 0
    looks: Looks | None = None


def draw(folder: Path, of: Material) -> list[dict[str, Any]]:
    """Writes the pictures; returns `file`, `title`, `caption` and `wide` of each."""
    drawn = []

    def add(
        name: str,
        title: str,
        caption: str,
        inches: tuple[float, float],
        picture: Callable[[Figure], None],
    ) -> None:
        file = f"{name}.png"
        save(folder / file, inches, picture)
        wide = inches[0] > HALF[0]
        drawn.append({"file": file, "title": title, "caption": caption, "wide": wide})

    overall, found = of.metrics[OVERALL], of.answers
    if history := of.history:
        heads = " Left of the dotted line the heads alone were trained." if of.frozen_epochs else ""
        add(
            "curves", "Learning curves",
            "Train is measured during each epoch, on changed pictures; val after it." + heads,
            WIDE, lambda figure: curves.draw(figure, history, of.frozen_epochs),
        )  # fmt: skip
    add(
        "age_scatter", "Ages",
        "True and answered age of every test face; right answers are on the dotted line.",
        HALF, lambda figure: age.scatter(figure, found),
    )  # fmt: skip
    add(
        "age_errors", "Errors of age",
        f"Right of 0, faces taken for older. Beyond {age.LARGEST_ERROR} years all in the last bar.",
        HALF, lambda figure: age.errors(figure, found),
    )  # fmt: skip
    add(
        "age_groups", "Errors by age group",
        "Mean absolute error of each true age group, with 95% intervals.",
        WIDE, lambda figure: age.by_group(figure, of.metrics),
    )  # fmt: skip
    add(
        "confusion", "Genders",
        "Of the faces of each true gender, what was answered.",
        HALF, lambda figure: gender.confusion(figure, found),
    )  # fmt: skip
    add(
        "roc", "ROC",
        "At every threshold of the female probability; the dot is the one answers use, 50%.",
        HALF, lambda figure: gender.roc(figure, found, overall["gender_auc"]),
    )  # fmt: skip
    add(
        "reliability", "Is the probability honest?",
        f"In {gender.BINS} bins of equally many faces, with 95% intervals; below, how often each "
        "is answered.",
        HALF, lambda figure: gender.reliability(figure, found, overall["gender_ece"]),
    )  # fmt: skip
    add(
        "age_coverage", "Are the intervals of age honest?",
        "How many true ages the 90% intervals hold, by answered age group, with 95% intervals.",
        HALF, lambda figure: age.coverage(figure, of.metrics),
    )  # fmt: skip
    add(
        "slices", "Who is served worse?",
        "Both main figures of every slice of the test faces (how many), with 95% intervals.",
        slices.inches(of.metrics), lambda figure: slices.draw(figure, of.metrics),
    )  # fmt: skip
    add(
        "mistakes", "The worst mistakes",
        "The first line below a face is its label, which may be wrong itself.",
        sheets.MISTAKES_INCHES, lambda figure: sheets.mistakes(figure, found, of.pictures),
    )  # fmt: skip
    if looks := of.looks:
        add(
            "looks", "Where it looks (Grad-CAM)",
            "Bright is what makes the face older, and what speaks for the gender answered.",
            sheets.LOOKS_INCHES,
            lambda figure: sheets.looks(figure, found, looks.faces, looks.pixels, looks.heat),
        )  # fmt: skip
    add(
        "spoilt", "Spoilt pictures",
        "One face as found and under the strongest of each change that was tried.",
        sheets.SPOILT_INCHES, lambda figure: sheets.spoilt(figure, of.spoilt),
    )  # fmt: skip
    return drawn
