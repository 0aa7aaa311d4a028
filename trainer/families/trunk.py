"""The trunk our own families share: a small residual network."""

import keras
from keras import layers

from trainer.families import inputs
from trainer.hyperparameters import Hyperparameters


def trunk(store_size: int, hyper: Hyperparameters) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """A small ResNet without its heads.

    Args:
      store_size: side of the input pictures, pixels.
      hyper: `architecture` says the channels per stage (every stage halves the side), blocks,
        kernels and dropout.

    Returns:
      Its input, [n, store_size, store_size, 3] in 0 to 255, and its features, [n, widths[-1]].
    """
    shape = hyper.architecture
    pixels, x = inputs.pictures(store_size, hyper.input_size or store_size)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    x = _conv(x, shape.widths[0], shape.kernel_size, strides=2)
    for stage, width in enumerate(shape.widths):
        for block in range(shape.depth):
            x = _residual(x, width, shape.kernel_size, strides=2 if stage and not block else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return pixels, layers.Dropout(shape.dropout)(x)


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
