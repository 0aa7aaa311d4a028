"""Made-up faces for training tests: brightness is the age, tint is the gender."""

import io
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from schema import features

SIZE = 16


def arrays(count: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Pictures, uint8 [count, SIZE, SIZE, 3], and their labels, float32 [count] each."""
    random = np.random.default_rng(seed)
    ages = random.uniform(0, 116, count).astype(np.float32)
    female = random.integers(0, 2, count).astype(np.float32)
    pixels = np.repeat(ages[:, None, None, None] * 2, SIZE, 1).repeat(SIZE, 2).repeat(3, 3)
    pixels[..., 0] += 20 * female[:, None, None]
    return pixels.astype(np.uint8), {features.AGE: ages, features.GENDER: female}


def dataset(count: int, seed: int) -> tf.data.Dataset:
    """The same as single examples."""
    return tf.data.Dataset.from_tensor_slices(arrays(count, seed))


def encoded(count: int, seed: int) -> list[bytes]:
    """The same pictures as PNG."""
    return [_png(one) for one in arrays(count, seed)[0]]


def write_transformed(folder: Path, counts: dict[str, int]) -> list[str]:
    """Writes what Transform would, `counts` faces a split; returns a file pattern a split."""
    patterns = []
    for seed, (split, count) in enumerate(counts.items()):
        path = folder / f"Split-{split}" / "transformed_examples-00000-of-00001.gz"
        path.parent.mkdir(parents=True)
        pixels, labels = arrays(count, seed)
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for index in range(count):
                age, gender = (labels[name][index] for name in (features.AGE, features.GENDER))
                writer.write(_transformed(pixels[index], age / features.MAX_AGE, gender))
        patterns.append(str(path.parent / "*"))
    return patterns


def _transformed(pixels: np.ndarray, age_norm: float, gender: float) -> bytes:
    serialized = tf.io.serialize_tensor(pixels).numpy()
    feature = {
        features.PIXELS: tf.train.Feature(bytes_list=tf.train.BytesList(value=[serialized])),
        features.AGE_NORM: tf.train.Feature(float_list=tf.train.FloatList(value=[age_norm])),
        features.GENDER: tf.train.Feature(float_list=tf.train.FloatList(value=[gender])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return bytes(example.SerializeToString())


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
