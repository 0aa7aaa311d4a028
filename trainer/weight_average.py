"""The moving average of a model's weights over its training steps, which is kept as the model."""

from typing import Any

import keras
import tensorflow as tf

WARM_UP = 10  # steps before which the average forgets its start faster


class WeightAverage(keras.callbacks.Callback):
    """Averages all weights, those of batch-norm's moments too, and validates the average.

    Keras's own averaging leaves batch-norm's moving moments as they are, which belong to other
    weights then. Between validation and the next epoch the model holds the average: callbacks that
    judge or keep an epoch see it, and stand before this one.
    """

    def __init__(self, decay: float) -> None:
        """`decay`: what is left of the average after a step, in [0, 1); see Polyak & Juditsky 1992.

        As in `tf.train.ExponentialMovingAverage`, it grows to that over the first steps.
        """
        super().__init__()
        self._decay = decay
        self._steps = 0
        self._averages: list[tf.Variable] = []
        self._trained: list[Any] | None = None

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Starts from the weights as they are."""
        weights = [weight.value for weight in self.model.weights]
        self._averages = [tf.Variable(weight, trainable=False) for weight in weights]

        @tf.function
        def update(decay: tf.Tensor) -> None:
            for average, weight in zip(self._averages, weights, strict=True):
                share = tf.cast(decay, average.dtype)
                average.assign(average * share + tf.cast(weight, average.dtype) * (1 - share))

        self._update = update

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Adds the weights of a step to the average."""
        self._steps += 1
        warm = (1 + self._steps) / (WARM_UP + self._steps)
        self._update(tf.constant(min(self._decay, warm), tf.float32))

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Puts the average in the place of the weights, for validation and what follows it."""
        self._trained = self.model.get_weights()
        self.model.set_weights([average.numpy() for average in self._averages])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Goes on training where it was."""
        if self._trained is not None:
            self.model.set_weights(self._trained)
            self._trained = None
