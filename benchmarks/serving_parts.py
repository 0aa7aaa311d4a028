"""Where the time of a request goes: JSON, the look at headers, decoding, resizing, the model."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich import box
from rich.console import Console
from rich.table import Table

from schema import features
from serving.server import json_answers, json_requests, pictures
from serving.server.model import Model
from trainer.preprocessing import decode_and_resize

_BATCHES = (1, 8, 32)
_ROUNDS = 15


def print_parts(servable: Path, photographs: list[bytes], size: int) -> None:
    """Prints CPU time per picture of each part, by batch; `size` is that of stored pictures."""
    model = Model(servable, 1)
    table = Table(box=box.SIMPLE, title=f"CPU ms per picture, median of {_ROUNDS}")
    table.add_column("")
    for batch in _BATCHES:
        table.add_column(f"batch {batch}", justify="right")
    columns = [_parts(model, photographs[:batch], size) for batch in _BATCHES]
    for name in columns[0]:
        table.add_row(name, *(f"{column[name]:.2f}" for column in columns))
    Console().print(table)


def _parts(model: Model, rows: list[bytes], size: int) -> dict[str, float]:
    body = json.dumps({"instances": [{"b64": base64.b64encode(one).decode()} for one in rows]})
    tensor = tf.constant(rows)
    answers = model.run(features.SIGNATURE_DEFAULT, rows)
    decoded = tf.function(lambda images: _mapped(_decode, images, None))
    resized = tf.function(
        lambda images: _mapped(lambda one: decode_and_resize(one, size), images, size)
    )
    decode = _cpu(lambda: decoded(tensor))
    resize = _cpu(lambda: resized(tensor))
    whole = _cpu(lambda: model.run(features.SIGNATURE_DEFAULT, rows))
    milliseconds = {
        "JSON and base64, in": _cpu(
            lambda: json_requests.predict_request(body.encode(), model.input_name)
        ),
        "look at headers": _cpu(lambda: pictures.check("image_bytes", rows, 10**8)),
        "decode": decode,
        "resize": resize - decode,
        "the rest of the graph: the model": whole - resize,
        "JSON, out": _cpu(lambda: json_answers.predict_response(answers, True)),
    }
    return {name: value * 1000 / len(rows) for name, value in milliseconds.items()}


def _decode(image: tf.Tensor) -> tf.Tensor:
    return tf.shape(tf.io.decode_jpeg(image, channels=3, dct_method="INTEGER_ACCURATE"))


def _mapped(function: Callable, images: tf.Tensor, size: int | None) -> tf.Tensor:
    dtype = tf.int32 if size is None else tf.uint8
    return tf.map_fn(function, images, fn_output_signature=dtype)


def _cpu(function: Callable[[], object]) -> float:
    """Seconds of CPU of one call, all threads together: what other processes do matters little."""
    function()
    taken = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        function()
        taken.append(time.process_time() - began)
    return float(np.median(taken))
