"""A Keras model as a TensorFlow Lite file of built-in operations alone."""

import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from schema import features
from serving.exports import trunk
from serving.exports.faces import Pixels
from serving.exports.kinds import Quantize

# Root mean square error of an operation's output in int8, in steps of its scale, above which it is
# left in float32: rounding alone makes 0.29. Most that exceed it are in MobileNetV2's first blocks,
# which cost it three points of gender accuracy.
MAX_ERROR = 0.4
_MEASURED = 16  # pictures, for that error


def convert(model: keras.Model, quantize: Quantize, pictures: Iterable[Pixels] = ()) -> bytes:
    """The content of a .tflite file that takes one picture, uint8 [1, size, size, 3].

    Its signature `serving_default` takes `pixels` and answers by name.

    Args:
      model: see `answering.answering`.
      quantize: what weights become. With int8 the trunks compute in int8 too, channel by channel,
        but for operations that suffer; the heads and what follows them stay float32, where rounding
        would show in every answer.
      pictures: that int8's ranges are measured on.
    """
    with tempfile.TemporaryDirectory() as folder:
        _save(_of_builtin_operations(model), folder)
        if quantize == "int8":
            return _int8(folder, list(pictures))
        converter = _converter(folder)
        if quantize == "float16":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def asking(path: str, threads: int) -> Callable[[Pixels], dict[str, npt.NDArray[Any]]]:
    """What asks a .tflite file about one picture: its answers by name, [1] each."""
    interpreter = tf.lite.Interpreter(model_path=path, num_threads=threads)
    runner = interpreter.get_signature_runner(features.SIGNATURE_DEFAULT)
    return lambda pixels: runner(**{features.PIXELS: pixels[None]})


def outputs(path: str) -> list[dict[str, Any]]:
    """Name, type and shape of what a .tflite file answers, in the order of its output tensors."""
    interpreter = tf.lite.Interpreter(model_path=path)
    runner = interpreter.get_signature_runner(features.SIGNATURE_DEFAULT)
    names = {one["index"]: name for name, one in runner.get_output_details().items()}
    return [
        {
            "name": names[one["index"]],
            "dtype": np.dtype(one["dtype"]).name,
            "shape": [int(side) for side in one["shape"]],
        }
        for one in interpreter.get_output_details()
    ]


def _of_builtin_operations(model: keras.Model) -> keras.Model:
    """The same, with the same weights, where TensorFlow Lite has no kernel for an operation."""

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if type(operation).__name__ == "Resize" and operation.antialias:
            return _resized(args[0], operation.size[0])
        return operation(*args, **kwargs)

    return keras.models.clone_model(
        model, clone_function=lambda operation: operation, call_function=call, recursive=True
    )


def _resized(pictures: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """Square pictures brought to another size with antialiasing: two products with one matrix."""
    side = pictures.shape[1]
    identity = np.eye(side, dtype=np.float32)[..., None]
    matrix = tf.image.resize(identity, (size, side), antialias=True)[..., 0].numpy()
    rows = ops.matmul(matrix, ops.reshape(pictures, (-1, side, side * 3)))
    return ops.matmul(matrix, ops.reshape(rows, (-1, size, side, 3)))


def _save(model: keras.Model, folder: str) -> None:
    """A SavedModel for one picture, its weights constants of the graph."""
    pixels = tf.TensorSpec([1, *model.input_shape[1:]], tf.uint8, name=features.PIXELS)
    traced = tf.function(lambda pixels: dict(model(pixels, training=False)))
    concrete = traced.get_concrete_function(pixels)
    names = sorted(concrete.structured_outputs)  # as TensorFlow orders a dict's values
    frozen = convert_variables_to_constants_v2(concrete)
    module = tf.Module()
    module.answer = tf.function(
        lambda pixels: dict(zip(names, frozen(pixels), strict=True)), input_signature=[pixels]
    )
    signatures = {features.SIGNATURE_DEFAULT: module.answer}
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, folder, signatures=signatures, options=options)


def _converter(folder: str) -> Any:
    return tf.lite.TFLiteConverter.from_saved_model(
        folder, signature_keys=[features.SIGNATURE_DEFAULT]
    )


def _int8(folder: str, pictures: list[Pixels]) -> bytes:
    def fed(count: int | None = None) -> Iterator[list[npt.NDArray[np.uint8]]]:
        for one in pictures[:count]:
            yield [one[None]]

    outside = trunk.outside(bytes(_converter(folder).convert()))
    converter = _converter(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = fed
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=lambda: fed(_MEASURED),
        debug_options=_all_but(outside),
    )
    debugger.run()
    debugger.options = _all_but(outside + _suffering(debugger))
    return bytes(debugger.get_nondebug_quantized_model())


def _all_but(names: list[str]) -> Any:
    return tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=names)


def _suffering(debugger: Any) -> list[str]:
    """The names of what operations put out that are wrong by more than MAX_ERROR steps in int8."""
    told = io.StringIO()
    debugger.layer_statistics_dump(told)
    told.seek(0)
    return [
        row["tensor_name"]
        for row in csv.DictReader(told)
        if float(row["mean_squared_error"]) ** 0.5 > MAX_ERROR * float(row["scale"])
    ]
