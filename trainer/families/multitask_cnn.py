"""multitask_cnn: one residual trunk, an age head and a gender head."""

from collections.abc import Sequence

import keras
from keras import layers

from schema import features
from trainer import heads


def build(
    store_size: int,
    widths: Sequence[int] = (32, 64, 128, 192),
    depth: int = 1,
    kernel_size: int = 3,
    dropout: float = 0.3,
    age_head: heads.AgeHead = "distribution",
) -> keras.Model:
    """A small ResNet.

    Args:
      store_size: side of the input pictures, pixels.
      widths: channels of each stage; every stage halves the side.
      depth: residual blocks per stage.
      kernel_size: side of the convolutions' kernels, pixels.
      dropout: share of the trunk's features dropped while training.
      age_head: see trainer.heads.

    Returns:
      A model from [n, store_size, store_size, 3] to logits {"age", "gender"}.
    """
    pixels = keras.Input((store_size, store_size, 3), name=features.PIXELS)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    x = _conv(x, widths[0], kernel_size, strides=2)
    for stage, width in enumerate(widths):
        for block in range(depth):
            x = _residual(x, width, kernel_size, strides=2 if stage and not block else 1)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    outputs = {
        features.AGE: heads.age_output(x, age_head),
        features.GENDER: heads.gender_output(x),
    }
    return keras.Model(pixels, outputs, name="multitask_cnn")


def _conv(
    x: keras.KerasTensor, width: int, kernel_size: int, strides: int = 1, activate: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(width, kernel_size, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation("relu")(x) if activate else x


def _residual(
    x: keras.KerasTensor, width: int, kernel_size: int, strides: int
) -> keras.KerasTensor:
    shortcut = x
    if strides > 1:
        shortcut = layers.AveragePooling2D(strides)(shortcut)
    if shortcut.shape[-1] != width:
        shortcut = _conv(shortcut, width, kernel_size=1, activate=False)
    x = _conv(x, width, kernel_size, strides)
    x = _conv(x, width, kernel_size, activate=False)
    return layers.Activation("relu")(layers.Add()([x, shortcut]))
