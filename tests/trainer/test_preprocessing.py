import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from schema import features
from trainer.preprocessing import decode_and_resize, parse_pixels, preprocessing_fn


def encoded(pixels: np.ndarray, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def picture() -> np.ndarray:
    ramp = np.linspace(0, 255, 200)
    return np.stack([np.add.outer(ramp, ramp) / 2, *np.meshgrid(ramp, ramp)], -1).astype(np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_resizing_agrees_with_pillow(picture: np.ndarray, kind: str) -> None:
    data = encoded(picture, kind)
    ours = decode_and_resize(tf.constant(data), 64).numpy()
    theirs = Image.open(io.BytesIO(data)).resize((64, 64), Image.Resampling.BILINEAR)
    assert ours.dtype == np.uint8
    assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).max() <= 1


def test_transform_stores_pixels_and_scales_labels(picture: np.ndarray) -> None:
    images = [[encoded(picture)], [encoded(255 - picture)]]
    out = preprocessing_fn(
        {
            features.IMAGE: tf.constant(images),
            features.AGE: tf.constant([[58], [116]], tf.int64),
            features.GENDER: tf.constant([[0], [1]], tf.int64),
        },
        {"store_size": 32},
    )
    np.testing.assert_allclose(out[features.AGE_NORM], [[0.5], [1.0]])
    np.testing.assert_array_equal(out[features.GENDER], [[0.0], [1.0]])
    assert out[features.PIXELS].shape == (2, 1)
    stored = parse_pixels(out[features.PIXELS][1, 0], 32)
    np.testing.assert_array_equal(stored, decode_and_resize(tf.constant(images[1][0]), 32))


def test_pixels_of_another_size_are_refused() -> None:
    serialized = tf.io.serialize_tensor(tf.zeros([8, 8, 3], tf.uint8))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        parse_pixels(serialized, 16)
