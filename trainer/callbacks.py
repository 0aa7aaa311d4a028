"""Keras callbacks: the score a training stops on, and the news of where it stands."""

import logging
from typing import Any

import keras

from trainer.progress import Listener, Progress
from trainer.score import score

log = logging.getLogger(__name__)

Logs = dict[str, Any] | None


# What five years and ten points of accuracy are worth to each other when the best epoch is chosen.
# Not the run's thresholds: another threshold must not train the model again.
SCALE = {"max_age_mae": 5.0, "min_gender_accuracy": 0.9}


class ValScore(keras.callbacks.Callback):
    """Adds the score on val to an epoch's logs, for the callbacks after it."""

    NAME = "val_score"

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Keras calls it after validation."""
        if logs is not None:
            logs[self.NAME] = score(logs["val_age_age_mae"], logs["val_gender_accuracy"], **SCALE)


class ReportProgress(keras.callbacks.Callback):
    """Tells a listener of every step."""

    def __init__(self, model: str, epochs: int, steps: int, tell: Listener) -> None:
        super().__init__()
        self._name, self._epochs, self._steps, self._tell = model, epochs, steps, tell
        self._epoch = 0
        self._figures: dict[str, float] = {}

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Keras calls it after every step."""
        self._report(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keras calls it after validation."""
        self._epoch = epoch + 1
        self._figures = {
            "val age MAE": float((logs or {})["val_age_age_mae"]),
            "val gender accuracy": float((logs or {})["val_gender_accuracy"]),
        }
        log.info("%s epoch %d/%d: %s", self._name, self._epoch, self._epochs, logs)
        self._report(self._epoch, 0)

    def _report(self, epoch: int, step: int) -> None:
        self._tell(Progress(self._name, epoch, self._epochs, step, self._steps, self._figures))
