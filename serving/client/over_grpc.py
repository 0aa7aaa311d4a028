"""TF Serving's PredictionService."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from pipeline import quiet
from pipeline.errors import UserError
from schema import features
from serving.client.answers import Answer, Ask, RefusedError, from_columns
from serving.client.retries import BusyError, patiently

quiet.prepare_environment()
with quiet.muted():  # the messages of TF Serving bring TensorFlow with them
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

if TYPE_CHECKING:
    from serving.client.connect import Choice, Patience

_BUSY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_REFUSED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE)
# gRPC's own words, with the same code as a full queue; it would be too large again.
_TOO_LARGE = "larger than max"


@contextmanager
def calling(url: str, address: str, choice: "Choice", patience: "Patience") -> Iterator[Ask]:
    """Yields the function that asks the server at `address`; closes the channel afterwards."""
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask(pictures: Sequence[bytes]) -> list[Answer]:
            request = _request(pictures, choice)
            try:
                reply = patiently(lambda: _call(stub, request, patience.timeout), patience)
            except BusyError as error:
                raise UserError(f"{url}: does not answer ({error}); is a server there?") from error
            except grpc.RpcError as error:
                raise _named(url, error, patience) from error
            outputs = {name: tf.make_ndarray(proto) for name, proto in reply.outputs.items()}
            return from_columns(outputs, len(pictures))

        yield ask


def _request(pictures: Sequence[bytes], choice: "Choice") -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = features.MODEL_NAME
    request.model_spec.signature_name = features.SIGNATURE_DEFAULT
    if choice.version is not None:
        request.model_spec.version.value = choice.version
    if choice.label is not None:
        request.model_spec.version_label = choice.label
    proto = tf.make_tensor_proto(list(pictures), dtype=tf.string)
    request.inputs[features.INPUT_IMAGE_BYTES].CopyFrom(proto)
    return request


def _call(stub: Any, request: Any, timeout: float) -> Any:
    try:
        return stub.Predict(request, timeout)
    except grpc.RpcError as error:
        words = " ".join((error.details() or "").split())
        if error.code() in _BUSY and _TOO_LARGE not in words:
            raise BusyError(f"{error.code().name}: {words}") from error
        if error.code() in _REFUSED:
            raise RefusedError(words[:200]) from error
        raise


def _named(url: str, error: Any, patience: "Patience") -> UserError:
    code, words = error.code(), " ".join((error.details() or "").split())
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UserError(f"{url}: no answer within {patience.timeout:g} s; give a longer --timeout")
    return UserError(f"{url}: {code.name}: {words[:300]}")
