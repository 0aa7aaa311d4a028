"""Keras callbacks: the score a training stops on, and the news of where it stands."""

import logging
from collections.abc import Mapping
from typing import Any

import keras

from trainer.progress import Listener, Progress
from trainer.score import age_part, gender_part

log = logging.getLogger(__name__)

Logs = dict[str, Any] | None


# What five years and ten points of accuracy are worth to each other when the best epoch is chosen.
# Not the run's thresholds: another threshold must not train the model again.
MAX_AGE_MAE = 5.0
MIN_GENDER_ACCURACY = 0.9

VAL_AGE_MAE = "val_age_mae"
VAL_GENDER_ACCURACY = "val_gender_accuracy"


def val_score(figures: Mapping[str, float]) -> float:
    """The score of a model's `val_age_mae` and `val_gender_accuracy`; its own part where one only.

    Raises:
      ValueError: when it has neither.
    """
    parts = []
    if VAL_AGE_MAE in figures:
        parts.append(age_part(figures[VAL_AGE_MAE], MAX_AGE_MAE))
    if VAL_GENDER_ACCURACY in figures:
        parts.append(gender_part(figures[VAL_GENDER_ACCURACY], MIN_GENDER_ACCURACY))
    if not parts:
        raise ValueError(f"nothing to score among {', '.join(figures)}")
    return sum(parts)


class ValScore(keras.callbacks.Callback):
    """Adds the score on val to an epoch's logs, for the callbacks after it."""

    NAME = "val_score"

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Keras calls it after validation."""
        if logs is not None:
            logs[self.NAME] = val_score(logs)


class ReportProgress(keras.callbacks.Callback):
    """Tells a listener of every step."""

    def __init__(self, model: str, epochs: int, steps: int, tell: Listener) -> None:
        super().__init__()
        self._name, self._epochs, self._steps, self._tell = model, epochs, steps, tell
        self._epoch = 0
        self._figures: dict[str, float] = {}
        self._logs: dict[str, float] = {}

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Keras calls it after every step."""
        self._report(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keras calls it after validation."""
        self._epoch = epoch + 1
        titles = {VAL_AGE_MAE: "val age MAE", VAL_GENDER_ACCURACY: "val gender accuracy"}
        self._figures = {
            title: float(logs[name]) for name, title in titles.items() if logs and name in logs
        }
        self._logs = {name: float(value) for name, value in (logs or {}).items()}
        log.info("%s epoch %d/%d: %s", self._name, self._epoch, self._epochs, logs)
        self._report(self._epoch, 0)

    def _report(self, epoch: int, step: int) -> None:
        self._tell(
            Progress(
                self._name, epoch, self._epochs, step, self._steps, self._figures, logs=self._logs
            )
        )
