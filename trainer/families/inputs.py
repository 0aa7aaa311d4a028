"""What every family's model takes: pictures of the stored size, brought to the size it sees."""

import keras
from keras import ops

from schema import features


def pictures(store_size: int, size: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input of a model, and the same in the size it sees.

    Args:
      store_size: side of the input pictures, pixels.
      size: the side it sees, pixels.

    Returns:
      [n, store_size, store_size, 3] and [n, size, size, 3], both in 0 to 255.
    """
    pixels = keras.Input((store_size, store_size, 3), name=features.PIXELS)
    if size == store_size:
        return pixels, pixels
    # Not layers.Resizing: a model that holds it is in training mode whenever it is not told.
    return pixels, ops.image.resize(pixels, (size, size), antialias=size < store_size)
