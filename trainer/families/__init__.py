"""The families of models, by name.

A family builds an uncompiled Keras model that takes raw pixels (0 to 255, [n, store_size,
store_size, 3]), resizes and rescales them inside its own graph, and answers a dict of logits: `age`
and/or `gender` (see trainer.heads).
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from schema import features
from trainer import names
from trainer.families import age_cnn, gender_cnn, multitask_cnn, transfer
from trainer.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class Family:
    """One entry of the registry.

    Attributes:
      build: makes a model from its name, the side of the stored pictures, and hyperparameters.
      answers: which labels it answers.
    """

    build: Callable[[str, int, Hyperparameters], keras.Model]
    answers: tuple[str, ...]


FAMILIES: dict[str, Family] = {
    "gender_cnn": Family(gender_cnn.build, (features.GENDER,)),
    "age_cnn": Family(age_cnn.build, (features.AGE,)),
    "multitask_cnn": Family(multitask_cnn.build, (features.AGE, features.GENDER)),
    "transfer": Family(transfer.build, (features.AGE, features.GENDER)),
}


def family(name: str) -> Family:
    """The family of the trained model `name`."""
    return FAMILIES[names.family(name)]


def build(name: str, store_size: int, hyper: Hyperparameters) -> keras.Model:
    """The uncompiled trained model `name`, in the current dtype policy."""
    return family(name).build(name, store_size, hyper)
