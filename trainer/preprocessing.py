"""The one graph from raw pictures and labels to what models are fed, in training and serving."""

from typing import Any

import tensorflow as tf

from schema import features


def preprocessing_fn(
    inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]
) -> dict[str, tf.Tensor]:
    """TFX Transform's function.

    Args:
      inputs: raw features; IMAGE is string [n, 1], AGE and GENDER are int64 [n, 1].
      custom_config: `store_size`, the side of the stored pictures in pixels.

    Returns:
      PIXELS, string [n, 1], one serialized uint8 tensor [store_size, store_size, 3] each (Transform
      cannot write uint8); AGE_NORM and GENDER, float [n, 1].
    """
    store_size = int(custom_config["store_size"])
    pixels = tf.map_fn(
        lambda image: tf.io.serialize_tensor(decode_and_resize(image, store_size)),
        tf.reshape(inputs[features.IMAGE], [-1]),
        fn_output_signature=tf.string,
    )
    return {
        features.PIXELS: tf.reshape(pixels, [-1, 1]),
        features.AGE_NORM: tf.cast(inputs[features.AGE], tf.float32) / features.MAX_AGE,
        features.GENDER: tf.cast(inputs[features.GENDER], tf.float32),
    }


def decode_and_resize(image: tf.Tensor, store_size: int) -> tf.Tensor:
    """Decodes one JPEG, PNG or GIF and brings it to the stored size.

    INTEGER_ACCURATE is libjpeg's ISLOW, which Pillow uses at ingestion too: both see the same
    pixels. `decode_jpeg` reads PNG and GIF as well.

    Args:
      image: encoded bytes, string [].
      store_size: side of the answer, pixels.

    Returns:
      uint8 [store_size, store_size, 3].
    """
    pixels = tf.io.decode_jpeg(image, channels=3, dct_method="INTEGER_ACCURATE")
    resized = tf.image.resize(pixels, [store_size, store_size], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)


def parse_pixels(serialized: tf.Tensor, store_size: int) -> tf.Tensor:
    """The picture behind one PIXELS feature: string [] to uint8 [store_size, store_size, 3]."""
    return tf.ensure_shape(tf.io.parse_tensor(serialized, tf.uint8), [store_size, store_size, 3])
