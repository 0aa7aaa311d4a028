"""age_cnn: the trunk with an age head alone."""

import keras

from schema import features
from trainer import heads
from trainer.families.trunk import trunk
from trainer.hyperparameters import Hyperparameters


def build(name: str, store_size: int, hyper: Hyperparameters) -> keras.Model:
    """From pixels [n, store_size, store_size, 3] to logits {"age"}."""
    pixels, x = trunk(store_size, hyper)
    age = heads.age_output(x, hyper.architecture.age_head)
    return keras.Model(pixels, {features.AGE: age}, name=name)
