"""gender_cnn: the trunk with a gender head alone."""

import keras

from schema import features
from trainer import heads
from trainer.families.trunk import trunk
from trainer.hyperparameters import Hyperparameters


def build(name: str, store_size: int, hyper: Hyperparameters) -> keras.Model:
    """From pixels [n, store_size, store_size, 3] to logits {"gender"}."""
    pixels, x = trunk(store_size, hyper)
    return keras.Model(pixels, {features.GENDER: heads.gender_output(x)}, name=name)
