"""Tiny SavedModels that keep the contract, or break it in one chosen way, and faces to ask with."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from PIL import Image

from schema import features

Answers = dict[str, tf.Tensor]


def export(folder: Path, spoil: Callable[[Answers], Answers] = lambda answers: answers) -> Path:
    """Save a model that judges by brightness alone, its answers passed through `spoil`."""
    module = tf.Module()
    module.years = tf.Variable(100.0)

    def answer(pictures: tf.Tensor) -> Answers:
        # A server's log is not the answer: what a model prints must not reach it.
        tf.print("asked", output_stream=sys.stdout)
        brightness = tf.map_fn(_brightness, pictures, fn_output_signature=tf.float32)
        age = brightness * module.years
        group = tf.searchsorted(tf.constant(features.AGE_GROUP_BOUNDS, tf.float32), age, "right")
        answers = {
            features.OUT_AGE: age,
            features.OUT_AGE_LOW: tf.maximum(age - 5.0, 0.0),
            features.OUT_AGE_HIGH: age + 5.0,
            features.OUT_FEMALE_PROBABILITY: brightness,
            features.OUT_GENDER: tf.where(brightness >= 0.5, "female", "male"),
            features.OUT_AGE_GROUP: tf.gather(tf.constant(features.AGE_GROUPS), group),
        }
        return spoil(answers)

    def parse(examples: tf.Tensor) -> tf.Tensor:
        spec = {features.IMAGE: tf.io.FixedLenFeature([], tf.string)}
        return tf.io.parse_example(examples, spec)[features.IMAGE]

    def signature(function: Callable, name: str) -> tf.types.experimental.ConcreteFunction:
        return tf.function(function).get_concrete_function(tf.TensorSpec([None], tf.string, name))

    tf.saved_model.save(
        module,
        str(folder),
        signatures={
            "serving_default": signature(answer, "image_bytes"),
            "serving_examples": signature(lambda examples: answer(parse(examples)), "examples"),
            "transform_features": signature(
                lambda examples: {"pixels": parse(examples), "age_norm": tf.zeros_like(examples)},
                "examples",
            ),
        },
    )
    return folder


def _brightness(picture: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(tf.io.decode_jpeg(picture, channels=3), tf.float32)) / 255.0


def picture(grey: int) -> bytes:
    """A small JPEG of one grey level."""
    buffer = io.BytesIO()
    Image.new("RGB", (48, 48), (grey, grey, grey)).save(buffer, "JPEG")
    return buffer.getvalue()


def write_examples(path: Path, count: int = 5) -> Path:
    """A gzipped TFRecord of Examples, each with a picture of another brightness."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for i in range(count):
            image = tf.train.BytesList(value=[picture(20 + 200 * i // count)])
            feature = {features.IMAGE: tf.train.Feature(bytes_list=image)}
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return path
