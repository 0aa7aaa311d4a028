"""Where a model looks: Grad-CAM (Selvaraju et al. 2017)."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schema import features
from trainer import heads

Maps = npt.NDArray[np.float32]


def heat_maps(model: keras.Model, pixels: npt.NDArray[np.uint8]) -> dict[str, Maps]:
    """`heat_map` of both answers, by answer."""
    return {answer: heat_map(model, answer, pixels) for answer in (features.AGE, features.GENDER)}


def heat_map(model: keras.Model, answer: str, pixels: npt.NDArray[np.uint8]) -> Maps:
    """What in the pictures speaks for an answer, [n, h, w], 0 to 1.

    For age it is what makes the face older; for gender, what makes it more of the one answered.
    Both are seen in the last map of features, before it is averaged; of the picture as it is, not
    of its mirror image.

    Args:
      model: from pixels to logits: a family's, or a joined pair of models.
      answer: `age` or `gender`.
      pixels: [n, store_size, store_size, 3], 0 to 255.

    Raises:
      ValueError: when the model averages no map of features.
    """
    to_map, from_map = _halves(model, answer)
    maps = to_map(tf.cast(pixels, tf.float32), training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = from_map(maps, training=False)
        # The answers of faces do not depend on each other: each gets its own gradient.
        target = heads.expected_age(logits) if answer == features.AGE else tf.abs(logits[:, 0])
    weights = tf.reduce_mean(tape.gradient(target, maps), axis=[1, 2], keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)).numpy()
    most = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, most, out=np.zeros_like(heat), where=most > 0)


def _halves(model: keras.Model, answer: str) -> tuple[keras.Model, keras.Model]:
    """From pixels to the last map of features, and from there to the logits of one answer.

    Raises:
      ValueError: when there is no such map.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.GlobalAveragePooling2D):
            return (
                keras.Model(model.input, layer.input),
                keras.Model(layer.input, model.output[answer]),
            )
    for layer in model.layers:
        if isinstance(layer, keras.Model) and answer in layer.output:
            return _halves(layer, answer)
    raise ValueError(f"{model.name} averages no map of features before it answers {answer}")
