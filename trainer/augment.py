"""Random changes to training pictures, a batch at a time, the same for the same seed.

Everything is computed from a stateless seed per batch, so a run is reproducible whatever the
number of threads that prepare batches.
"""

import math

import tensorflow as tf

from trainer.hyperparameters import Augmentation

MIDDLE_GREY = 127.5


def augment(pixels: tf.Tensor, seed: tf.Tensor, how: Augmentation) -> tf.Tensor:
    """Changes a batch.

    Args:
      pixels: uint8 or float [n, h, w, 3], 0 to 255.
      seed: int64 [2], a stateless seed; another one gives another batch.
      how: the limits of each change.

    Returns:
      float32 [n, h, w, 3], 0 to 255.
    """
    pixels = tf.cast(pixels, tf.float32)
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 10))
    changed = _recolour(_move(pixels, seeds[:5], how), seeds[5:8], how)
    return _erase(changed, seeds[8:], how.erase) if how.erase else changed


def _move(pixels: tf.Tensor, seeds: list[tf.Tensor], how: Augmentation) -> tf.Tensor:
    """Mirrors, turns, scales and shifts in one resampling."""
    count = tf.shape(pixels)[0]
    height, width = tf.shape(pixels)[1], tf.shape(pixels)[2]
    w, h = tf.cast(width, tf.float32), tf.cast(height, tf.float32)
    angle = _uniform(count, seeds[0], how.rotation * math.pi / 180)
    scale = 1.0 + _uniform(count, seeds[1], how.zoom)
    dx, dy = _uniform(count, seeds[2], how.shift) * w, _uniform(count, seeds[3], how.shift) * h
    mirror = (
        tf.sign(tf.random.stateless_uniform([count], seeds[4]) - 0.5)
        if how.flip
        else tf.ones([count])
    )
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    cx, cy = (w - 1) / 2, (h - 1) / 2
    # Output point -> input point, about the centre of the picture.
    a, b, d, e = cos * mirror, -sin, sin * mirror, cos
    transforms = tf.stack(
        [
            a, b, cx + dx - a * cx - b * cy,
            d, e, cy + dy - d * cx - e * cy,
            tf.zeros([count]), tf.zeros([count]),
        ],
        axis=1,
    )  # fmt: skip
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _recolour(pixels: tf.Tensor, seeds: list[tf.Tensor], how: Augmentation) -> tf.Tensor:
    """Changes saturation, contrast and brightness as one affine map of the colours."""
    shape = [tf.shape(pixels)[0], 1, 1, 1]
    saturation = 1.0 + tf.reshape(_uniform(shape[0], seeds[0], how.saturation), shape)
    contrast = 1.0 + tf.reshape(_uniform(shape[0], seeds[1], how.contrast), shape)
    brightness = 255.0 * tf.reshape(_uniform(shape[0], seeds[2], how.brightness), shape)
    grey = tf.reduce_mean(pixels, axis=3, keepdims=True)
    mean = tf.reduce_mean(grey, axis=[1, 2], keepdims=True)
    offset = contrast * (1.0 - saturation) * grey + (1.0 - contrast) * mean + brightness
    return tf.clip_by_value(contrast * saturation * pixels + offset, 0.0, 255.0)


def _erase(pixels: tf.Tensor, seeds: list[tf.Tensor], limit: float) -> tf.Tensor:
    """Greys a rectangle in half of the pictures (random erasing, Zhong et al. 2020)."""
    shape = tf.shape(pixels)
    counts = [shape[0], 2]  # height and width, top and left
    chosen = tf.random.stateless_uniform(counts, seeds[0], maxval=limit)
    begin = tf.random.stateless_uniform(counts, seeds[1]) * (1.0 - chosen)
    chosen *= tf.cast(tf.range(shape[0])[:, None] % 2, tf.float32)  # batches are shuffled
    rows, columns = (
        (place >= begin[:, axis, None]) & (place < (begin + chosen)[:, axis, None])
        for axis, place in enumerate((_places(shape[1]), _places(shape[2])))
    )
    erased = rows[:, :, None, None] & columns[:, None, :, None]
    return tf.where(erased, MIDDLE_GREY, pixels)


def _places(count: tf.Tensor) -> tf.Tensor:
    """Where pixels begin along a side of length 1: float32 [1, count]."""
    return (tf.range(count, dtype=tf.float32) / tf.cast(count, tf.float32))[None, :]


def _uniform(count: tf.Tensor, seed: tf.Tensor, limit: float) -> tf.Tensor:
    """float32 [count], uniform in -limit to limit."""
    return tf.random.stateless_uniform([count], seed, -1.0, 1.0) * limit
