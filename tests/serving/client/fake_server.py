"""A tiny model with the contract's signature, and TF Serving's API in front of it.

The model answers from a picture's mean: quickly, and differently for different pictures.
"""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from schema import features

LABELS = {"stable": 1, "canary": 2}
_HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.INTERNAL: 500,
}


class TinyModel(tf.Module):
    def __init__(self, older: float) -> None:
        super().__init__()
        self.older = tf.Variable(older)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, features.INPUT_IMAGE_BYTES)])
    def serving_default(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        means = tf.map_fn(
            lambda one: tf.reduce_mean(tf.cast(tf.io.decode_jpeg(one, channels=3), tf.float32)),
            image_bytes,
            fn_output_signature=tf.float32,
        )
        female, age = means / 255, means / 3 + self.older
        return {
            features.OUT_AGE: age,
            features.OUT_AGE_LOW: age - 5.5,
            features.OUT_AGE_HIGH: age + 7.3,
            features.OUT_FEMALE_PROBABILITY: female,
            features.OUT_GENDER: tf.where(female >= 0.5, "female", "male"),
            features.OUT_AGE_GROUP: tf.where(age >= 40, "40-49", "30-39"),
        }


def write_versions(model_dir: Path) -> None:
    """Versions 1 and 2 of the model; the second says ten years more."""
    for version, older in ((1, 0.0), (2, 10.0)):
        model = TinyModel(older)
        signatures = {features.SIGNATURE_DEFAULT: model.serving_default}
        tf.saved_model.save(model, str(model_dir / str(version)), signatures=signatures)


@dataclass
class Fake:
    """What the servers share: the versions, faults that come first, and what was asked."""

    signatures: dict[int, Any]
    faults: list[grpc.StatusCode] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def answer(self, pictures: list[bytes], version: int, label: str) -> dict[str, tf.Tensor]:
        """As TF Serving; raises _Failed with the code and its words."""
        if self.seconds:
            threading.Event().wait(self.seconds)
        if self.faults:
            raise _FailedError(self.faults.pop(0), "not now")
        version = LABELS.get(label, -1) if label else version or max(self.signatures)
        if version not in self.signatures:
            words = f"Servable not found for request: Specific(agegender, {version})"
            raise _FailedError(grpc.StatusCode.NOT_FOUND, words)
        self.batches.append(len(pictures))
        try:
            return self.signatures[version](image_bytes=tf.constant(pictures))
        except tf.errors.InvalidArgumentError as error:
            raise _FailedError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error


class _FailedError(Exception):
    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


@contextmanager
def serving_grpc(fake: Fake) -> Iterator[str]:
    """Yields the url of a gRPC server with PredictionService."""

    class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
            assert request.model_spec.name == "agegender"
            spec, inputs = request.model_spec, request.inputs[features.INPUT_IMAGE_BYTES]
            try:
                pictures = list(tf.make_ndarray(inputs))
                found = fake.answer(pictures, spec.version.value, spec.version_label)
            except _FailedError as failed:
                context.abort(failed.code, failed.words)
            reply = predict_pb2.PredictResponse()
            for name, value in found.items():
                reply.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
            return reply

    server = grpc.server(ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def serving_rest(fake: Fake) -> Iterator[str]:
    """Yields the url of an HTTP server with the REST API's :predict, in column format."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model, _, verb = self.path.rpartition(":")
            _, _, _, name, *rest = model.split("/")
            kind, which = rest or ("", "")
            assert (name, verb) == ("agegender", "predict")
            pictures = [base64.b64decode(one["b64"]) for one in body["inputs"]["image_bytes"]]
            version, label = (int(which), "") if kind == "versions" else (0, which)
            try:
                found = fake.answer(pictures, version, label)
                self.reply(200, {"outputs": {name: _plain(v) for name, v in found.items()}})
            except _FailedError as failed:
                self.reply(_HTTP[failed.code], {"error": failed.words})

        def reply(self, code: int, content: Any) -> None:
            encoded = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):  # who asked has waited long enough
                self.wfile.write(encoded)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _plain(value: tf.Tensor) -> list[Any]:
    if value.dtype == tf.string:
        return [one.decode() for one in value.numpy()]
    # As TF Serving prints a float: enough digits for the float, too few for the double.
    return [float(f"{one:.9g}") for one in value.numpy()]
