"""multitask_cnn: one trunk, an age head and a gender head."""

import keras

from schema import features
from trainer import heads
from trainer.families.trunk import trunk
from trainer.hyperparameters import Hyperparameters


def build(name: str, store_size: int, hyper: Hyperparameters) -> keras.Model:
    """From pixels [n, store_size, store_size, 3] to logits {"age", "gender"}."""
    pixels, x = trunk(store_size, hyper)
    outputs = {
        features.AGE: heads.age_output(x, hyper.architecture.age_head),
        features.GENDER: heads.gender_output(x),
    }
    return keras.Model(pixels, outputs, name=name)
