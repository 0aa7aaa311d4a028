"""Asks one SavedModel everything the check wants to know; run in a process of its own.

Nothing of this project may be imported here, nor anything beside TensorFlow: what a model server
has is what the servable must live on. The request comes as JSON on standard input, the answers
leave as one JSON object on standard output, all else goes to standard error.
"""

import base64
import json
import os
import signal
import sys
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

# A server has none of these: a model that needs one of them must not pass here.
ABSENT = (
    *("components", "pipeline", "schema", "serving", "trainer"),
    *("keras", "tf_keras", "tensorflow_transform", "tfx", "tfx_bsl"),
)


def refuse_imports() -> None:
    """Make every later import of a module in ABSENT fail."""
    for name in ABSENT:
        sys.modules[name] = None  # type: ignore[assignment]


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """Load the model and ask it.

    Args:
        request: `model_dir`; `example_files` and `faces`, how many of their records to ask with;
            `image_feature`, their key of the picture; `pictures` and `corrupt`, more encoded
            pictures, base64, the latter by name; `signatures`, the names of the default, examples
            and transform signatures; `inputs`, the names of their inputs.

    Returns:
        `load_error`, when it does not load; else `signatures` (name -> input -> [dtype, shape]),
        `faces` (how many were found) and, unless a signature is missing, `answers`: question ->
        one answer or a list of them, each {"error": ...} or {"outputs": name -> {dtype, shape,
        finite, values}}, `values` for rank 1 only.
    """
    try:
        model = tf.saved_model.load(request["model_dir"])
    except Exception as error:
        return {"load_error": _one_line(error)}

    examples = _examples(request["example_files"], request["faces"])
    found: dict[str, Any] = {
        "signatures": {name: _inputs(function) for name, function in model.signatures.items()},
        "faces": len(examples),
    }
    if not examples or set(request["signatures"]) - set(found["signatures"]):
        return found
    default, from_examples, transform = (model.signatures[name] for name in request["signatures"])
    image_key, example_key = request["inputs"]

    def look(pictures: list[bytes]) -> dict[str, Any]:
        return _answer(default, {image_key: tf.constant(pictures)})

    faces = [_image(example, request["image_feature"]) for example in examples]
    pictures = faces + [base64.b64decode(picture) for picture in request["pictures"]]
    serialized = {example_key: tf.constant(examples)}
    found["answers"] = {
        "batch": look(pictures),
        "singles": [look([picture]) for picture in pictures],
        "examples": _answer(from_examples, serialized),
        "transformed": _answer(transform, serialized),
        "corrupt": {
            name: look([base64.b64decode(picture)]) for name, picture in request["corrupt"].items()
        },
        "batch_after_corrupt": look(pictures),
        "warm_up": _replay(model, request["model_dir"]),
    }
    return found


def _examples(files: list[str], count: int) -> list[bytes]:
    compression = "GZIP" if files and files[0].endswith(".gz") else ""
    return list(tf.data.TFRecordDataset(files, compression).take(count).as_numpy_iterator())


def _image(example: bytes, feature: str) -> bytes:
    return tf.train.Example.FromString(example).features.feature[feature].bytes_list.value[0]


def _replay(model: Any, model_dir: str) -> list[dict[str, Any]]:
    """Ask what a server asks while it loads the model; it refuses a model that fails then."""
    path = os.path.join(model_dir, "assets.extra", "tf_serving_warmup_requests")
    answers = []
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        request = PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answers.append(
            _answer(
                model.signatures[request.model_spec.signature_name],
                {name: tf.constant(value) for name, value in inputs.items()},
            )
        )
    return answers


def _inputs(function: Any) -> dict[str, Any]:
    _, keywords = function.structured_input_signature
    return {
        name: [spec.dtype.name, None if spec.shape.rank is None else spec.shape.as_list()]
        for name, spec in keywords.items()
    }


def _answer(function: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    try:
        outputs = function(**inputs)
    except Exception as error:
        return {"error": _one_line(error)}
    return {"outputs": {name: _described(tensor) for name, tensor in outputs.items()}}


def _described(tensor: Any) -> dict[str, Any]:
    described = {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list(), "finite": True}
    if tensor.dtype.is_floating:
        described["finite"] = bool(tf.reduce_all(tf.math.is_finite(tensor)))
    if tensor.shape.rank == 1 and tensor.dtype == tf.string:
        described["values"] = [value.decode("utf-8", "replace") for value in tensor.numpy()]
    elif tensor.shape.rank == 1:
        described["values"] = tensor.numpy().tolist()
    return described


def _one_line(error: Exception) -> str:
    # The graph's errors say what happened only after a heading and a stack that is not there.
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    # Ends this process even when nobody is left to wait for it.
    signal.alarm(request["max_seconds"])
    # The model's own print operations may write to standard output.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    refuse_imports()
    reply = json.dumps(ask(request))
    with open(answers, "w") as out:
        out.write(reply)


if __name__ == "__main__":
    main()
