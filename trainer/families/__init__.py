"""The families of models, by name.

A family is a function from its hyperparameters to an uncompiled Keras model that takes raw pixels
(0 to 255, [n, store_size, store_size, 3]), resizes and rescales them inside its own graph, and
answers a dict of logits: `age` and/or `gender` (see trainer.heads).
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from trainer.families import multitask_cnn


@dataclass(frozen=True)
class Family:
    """One entry of the registry: how a model is built and which labels it answers."""

    build: Callable[..., keras.Model]
    answers: tuple[str, ...]


FAMILIES = {
    "multitask_cnn": Family(multitask_cnn.build, ("age", "gender")),
}
