"""An export held against the servable it was made of, on faces neither was trained on."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.model_report import answers
from components.model_report.answers import Answers
from schema import age_groups, features
from serving.exports import faces
from serving.exports.answering import OUTPUTS

# From pixels, uint8 [n, size, size, 3], to answers by name, [n] each.
Asking = Callable[[npt.NDArray[np.uint8]], dict[str, npt.NDArray[Any]]]
Figures = dict[str, float]

# How much worse an export may be than its servable before whoever made it is told.
MAX_AGE_MAE_CHANGE = 0.1  # years
MAX_GENDER_ACCURACY_CHANGE = 0.005


def check(
    servable: str,
    ask: Asking,
    files: Sequence[str],
    size: int,
    groups: age_groups.Scheme,
    asked: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """How good both are on the same faces, and how far their answers lie apart.

    Args:
      servable: a SavedModel.
      ask: the export.
      files: gzipped TFRecords of raw examples with labels.
      size: side of the export's pictures, pixels.
      groups: the scheme of its `age_group`.
      asked: is told how many faces more the export was asked about.

    Raises:
      ValueError: when the files hold no example.
    """
    wanted = answers.ask(tf.saved_model.load(servable), files)
    batches = _batches(map(faces.decoder(size), faces.encoded(files)))
    parts = []
    for batch in batches:
        parts.append(ask(batch))
        asked(len(batch))
    found = {name: np.concatenate([part[name] for part in parts]) for name in OUTPUTS}
    return compare(wanted, Answers(wanted.labels, found), groups)


def compare(wanted: Answers, found: Answers, groups: age_groups.Scheme) -> dict[str, Any]:
    """Figures of a servable's and of an export's answers about the same faces."""
    servable, export = figures(wanted), figures(found)
    names = np.array(age_groups.GROUPS[groups], dtype=object)
    group = names[found.outputs[features.OUT_AGE_GROUP]]
    served = np.array([one.decode() for one in wanted.outputs[features.OUT_AGE_GROUP]])
    ends = (features.OUT_AGE_LOW, features.OUT_AGE_HIGH)
    return {
        "split": "test",
        "faces": len(wanted),
        "servable": servable,
        "export": export,
        "change": {name: export[name] - servable[name] for name in servable},
        "difference": {
            "age_years": _apart(wanted.age, found.age),
            "interval_years": float(
                np.mean([_apart(wanted.outputs[end], found.outputs[end]) for end in ends])
            ),
            "female_probability": _apart(wanted.female_probability, found.female_probability),
            "other_gender": float(np.mean(wanted.taken_for_female != found.taken_for_female)),
            "other_age_group": float(np.mean(served != group)),
        },
    }


def figures(given: Answers) -> Figures:
    """Age MAE in years, and shares: of right genders, and of true ages within the interval."""
    return {
        "age_mae": float(np.abs(given.error).mean()),
        "gender_accuracy": float(np.mean(given.taken_for_female == given.female)),
        "age_coverage": float(given.in_range.mean()),
    }


def too_far(checked: dict[str, Any]) -> list[str]:
    """What an export is worse in than it should be, a phrase each."""
    change, found = checked["change"], []
    if change["age_mae"] > MAX_AGE_MAE_CHANGE:
        found.append(f"age MAE is {change['age_mae']:.2f} years worse")
    if -change["gender_accuracy"] > MAX_GENDER_ACCURACY_CHANGE:
        found.append(f"gender accuracy is {-100 * change['gender_accuracy']:.2f} points worse")
    return found


def _apart(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    return float(np.abs(one.astype(np.float64) - other).mean())


def _batches(pictures: Iterator[faces.Pixels]) -> Iterator[npt.NDArray[np.uint8]]:
    while some := list(itertools.islice(pictures, answers.BATCH)):
        yield np.stack(some)
