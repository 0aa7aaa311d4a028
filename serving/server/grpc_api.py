"""TF Serving's services over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.types_pb2 import DT_FLOAT, DT_STRING, DataType
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.server.core import Core, refuse_method
from serving.server.errors import ServingError, invalid
from serving.server.model import DEFAULT_SIGNATURE, Model, Outputs
from serving.server.reload import policy_of

_SIGNATURES = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predictions and what the model takes; refuses to classify and regress, as TF Serving does."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def Predict(  # noqa: N802 (TF Serving's name)
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Answers about the rows of one tensor."""
        async with _refusing(context):
            spec = request.model_spec
            async with self._core.admitted(spec.name, "Predict", "GRPC"):
                with self._lease(request) as model:
                    signature = spec.signature_name or DEFAULT_SIGNATURE
                    rows = _rows(model, signature, request)
                    wanted = _outputs(model, signature, request)
                    found = await self._core.predict(model, signature, rows)
                    return _response(spec.name, model.version, signature, found, wanted)
        raise AssertionError  # a refusal has ended the call

    async def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version."""
        async with _refusing(context):
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            for field in request.metadata_field:
                if field != _SIGNATURES:
                    raise invalid(f"Metadata field {field} is not supported")
            with self._lease(request) as model:
                response = get_model_metadata_pb2.GetModelMetadataResponse()
                response.model_spec.name = request.model_spec.name
                response.model_spec.version.value = model.version
                signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=model.signatures)
                response.metadata[_SIGNATURES].Pack(signatures)
                return response
        raise AssertionError

    async def Classify(  # noqa: N802
        self, request: classification_pb2.ClassificationRequest, context: grpc.aio.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """Refuses: no signature classifies."""
        return await self._refuse(request, context, "classify")

    async def Regress(  # noqa: N802
        self, request: regression_pb2.RegressionRequest, context: grpc.aio.ServicerContext
    ) -> regression_pb2.RegressionResponse:
        """Refuses: no signature regresses."""
        return await self._refuse(request, context, "regress")

    async def MultiInference(  # noqa: N802
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.aio.ServicerContext
    ) -> inference_pb2.MultiInferenceResponse:
        """Refuses: it would classify or regress."""
        async with _refusing(context):
            if not request.tasks or not request.tasks[0].model_spec.name:
                raise invalid("Found ModelSpec with an empty model name.")
            task = request.tasks[0]
            spec = task.model_spec
            with self._core.catalog.lease(*_which(spec)) as model:
                if (kind := task.method_name.rpartition("/")[2]) not in ("classify", "regress"):
                    raise ServingError(
                        grpc.StatusCode.UNIMPLEMENTED,
                        f"Unsupported signature method_name: {task.method_name}",
                    )
                raise refuse_method(model, spec.signature_name, kind)
        raise AssertionError

    async def _refuse(self, request: Any, context: grpc.aio.ServicerContext, kind: str) -> Any:
        async with _refusing(context):
            spec = request.model_spec
            api = kind.capitalize()
            async with self._core.admitted(spec.name, api, "GRPC"):
                with self._lease(request) as model:
                    raise refuse_method(model, spec.signature_name, kind)
        raise AssertionError

    @contextmanager
    def _lease(self, request: Any) -> Iterator[Model]:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        with self._core.catalog.lease(*_which(request.model_spec)) as model:
            yield model


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """The states of the versions, and which of them are to be served."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of one version, or of all."""
        async with _refusing(context):
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            states = self._core.catalog.status(*_which(request.model_spec))
            return get_model_status_pb2.GetModelStatusResponse(model_version_status=states)
        raise AssertionError

    async def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Sets the version policy and the labels of the one model there is."""
        async with _refusing(context):
            catalog = self._core.catalog
            policy = policy_of(request.config, catalog.name, catalog.base_path)
            # Whoever asked may go away; what was begun is carried through.
            await asyncio.shield(asyncio.ensure_future(catalog.reconfigure(*policy)))
            response = model_management_pb2.ReloadConfigResponse()
            response.status.SetInParent()
            return response
        raise AssertionError


@asynccontextmanager
async def _refusing(context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
    """Ends the call with the code and message of a refusal."""
    try:
        yield
    except ServingError as error:
        await context.abort(error.code, error.message)


def _which(spec: ModelSpec) -> tuple[str, int | None, str]:
    version = spec.version.value if spec.HasField("version") else None
    return spec.name, version, spec.version_label


def _rows(model: Model, signature: str, request: predict_pb2.PredictRequest) -> list[bytes]:
    """What a request gives the signature's one input, checked before it is copied."""
    takes = model.input_name(signature)
    if takes is None:
        raise ServingError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f'Serving signature key "{signature}" not found.',
        )
    if set(request.inputs) != {takes}:
        raise _wrong_inputs(set(request.inputs), takes)
    tensor = request.inputs[takes]
    if tensor.dtype != DT_STRING:
        name = DataType.Name(tensor.dtype) if tensor.dtype in DataType.values() else "DT_INVALID"
        raise invalid(
            f"Expects arg[0] to be string but {name.removeprefix('DT_').lower()} is provided"
        )
    shape = [one.size for one in tensor.tensor_shape.dim]
    if len(shape) != 1 or tensor.tensor_shape.unknown_rank:
        raise invalid(f"Tensor {takes} has shape {shape}, expected [-1]")
    if shape[0] != len(tensor.string_val):
        raise invalid(f"tensor parsing error: {takes}")
    return list(tensor.string_val)


def _wrong_inputs(given: set[str], takes: str) -> ServingError:
    if len(given) == 1:
        return invalid(
            f"input tensor alias not found in signature: {next(iter(given))}. "
            f"Inputs expected to be in the set {{{takes}}}."
        )
    extra, missing = given - {takes}, {takes} - given
    return invalid(
        f"input size does not match signature: {len(given)}!=1 "
        f"len({{{','.join(sorted(given))}}}) != len({{{takes}}}). "
        f"Sent extra: {{{','.join(sorted(extra))}}}. "
        f"Missing but required: {{{','.join(missing)}}}."
    )


def _outputs(model: Model, signature: str, request: predict_pb2.PredictRequest) -> list[str]:
    """The names of the outputs that are asked for."""
    known = sorted(model.signatures[signature].outputs)
    wanted: list[str] = []
    for name in request.output_filter:
        if name not in known:
            raise invalid(
                f"output tensor alias not found in signature: {name} "
                f"Outputs expected to be in the set {{{','.join(known)}}}."
            )
        if name in wanted:
            raise invalid(f"duplicate output tensor alias: {name}")
        wanted.append(name)
    return wanted or known


def _response(
    name: str, version: int, signature: str, found: Outputs, wanted: list[str]
) -> predict_pb2.PredictResponse:
    response = predict_pb2.PredictResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version
    response.model_spec.signature_name = signature
    for output in wanted:
        _fill(response.outputs[output], found[output])
    return response


def _fill(tensor: TensorProto, values: np.ndarray) -> None:
    """As tf.make_tensor_proto with fields, in a tenth of its time for the two usual types."""
    if values.dtype == object:
        tensor.dtype = DT_STRING
        tensor.string_val.extend(values.ravel().tolist())
    elif values.dtype == np.float32:
        tensor.dtype = DT_FLOAT
        tensor.float_val.extend(values.ravel().tolist())
    else:
        tensor.CopyFrom(tf.make_tensor_proto(values))
        return
    for size in values.shape:
        tensor.tensor_shape.dim.add().size = size
