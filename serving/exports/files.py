"""Exports as files: how each kind is written, and asked again from its file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from serving.exports import tflite
from serving.exports.check import Asking
from serving.exports.faces import Pixels
from serving.exports.kinds import Quantize


def write(
    path: Path, model: keras.Model, quantize: Quantize, pictures: Iterable[Pixels] = ()
) -> None:
    """Writes a model, as its suffix says: .tflite or .keras (float32 alone)."""
    if path.suffix == ".keras":
        model.save(path)
    else:
        path.write_bytes(tflite.convert(model, quantize, pictures))


def asking(path: str, threads: int) -> Asking:
    """What asks a written file about pictures.

    Args:
      path: of a .tflite or .keras file.
      threads: of TensorFlow Lite; Keras has those of TensorFlow.
    """
    if path.endswith(".keras"):
        return _asking_keras(path)
    one = tflite.asking(path, threads)

    def ask(pixels: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        answers = [one(picture) for picture in pixels]
        return {name: np.concatenate([each[name] for each in answers]) for name in answers[0]}

    return ask


def _asking_keras(path: str) -> Asking:
    model = keras.models.load_model(path)
    call = tf.function(lambda pixels: model(pixels, training=False), reduce_retracing=True)

    def ask(pixels: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        return {name: values.numpy() for name, values in call(tf.constant(pixels)).items()}

    return ask
