"""TF Serving's API, of `agegender serve` and, where it is installed, of TF Serving itself."""

import base64
import io
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
import tensorflow as tf
from google.protobuf.json_format import ParseDict
from PIL import Image
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from schema import features
from serving import versions
from tests.components.servable_check.servables import picture
from tests.serving.server.conftest import Running

CODES = grpc.StatusCode


class Api(NamedTuple):
    rest: httpx.Client
    predictions: prediction_service_pb2_grpc.PredictionServiceStub
    models: model_service_pb2_grpc.ModelServiceStub
    is_ours: bool


def connect(rest: str, address: str, is_ours: bool) -> Api:
    channel = grpc.insecure_channel(address)
    return Api(
        httpx.Client(base_url=rest, timeout=60),
        prediction_service_pb2_grpc.PredictionServiceStub(channel),
        model_service_pb2_grpc.ModelServiceStub(channel),
        is_ours,
    )


@pytest.fixture(scope="module", params=["agegender serve", "tensorflow_model_server"])
def api(
    request: pytest.FixtureRequest, servable: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    if request.param == "agegender serve":
        running: Running = request.getfixturevalue("server")
        yield connect(running.rest, running.grpc, True)
        return
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not on the PATH")
    folder = tmp_path_factory.mktemp("model_server") / "agegender"
    versions.publish(servable, folder)
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(free.getsockname()[1])
    command = [program, f"--port={ports[0]}", f"--rest_api_port={ports[1]}"]
    command += ["--model_name=agegender", f"--model_base_path={folder}", "--enable_batching"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = connect(f"http://127.0.0.1:{ports[1]}", f"127.0.0.1:{ports[0]}", False)
        for _ in range(240):
            try:
                if found.rest.get("/v1/models/agegender/metadata").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=60)


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def example(content: bytes) -> bytes:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
    found = tf.train.Example(features=tf.train.Features(feature={features.IMAGE: feature}))
    return found.SerializeToString()


def post(api: Api, body: Any, path: str = "/v1/models/agegender:predict") -> tuple[int, Any]:
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    response = api.rest.post(path, **content)
    assert response.headers["content-type"] == "application/json"
    return response.status_code, response.json()


def predict(api: Api, rows: list[bytes], **spec: Any) -> predict_pb2.PredictResponse:
    return api.predictions.Predict(asked(rows, **spec), timeout=60)


def asked(rows: Any, signature: str = "", takes: str = "image_bytes", **spec: Any) -> Any:
    request = predict_pb2.PredictRequest(inputs={takes: tf.make_tensor_proto(rows)})
    ParseDict({"name": "agegender", "signature_name": signature, **spec}, request.model_spec)
    return request


def refusal(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value.code(), refused.value.details()  # type: ignore[attr-defined]


def test_both_protocols_and_all_forms_answer_alike(api: Api) -> None:
    pictures = [picture(40), picture(200)]
    outputs = predict(api, pictures).outputs
    assert set(outputs) == set(features.OUTPUTS)
    ages = tf.make_ndarray(outputs["age"])
    assert ages == pytest.approx([100 * 40 / 255, 100 * 200 / 255], abs=0.5)
    _, columns = post(api, {"inputs": {"image_bytes": [b64(one) for one in pictures]}})
    assert columns["outputs"]["age"] == pytest.approx(ages)
    assert columns["outputs"]["gender"] == ["male", "female"]
    _, named = post(api, {"instances": [{"image_bytes": b64(one)} for one in pictures]})
    _, plain = post(api, {"instances": [b64(one) for one in pictures]})
    assert named == plain
    assert [row["age"] for row in plain["predictions"]] == pytest.approx(ages)
    assert [row["age_group"] for row in plain["predictions"]] == columns["outputs"]["age_group"]
    body = {
        "signature_name": "serving_examples",
        "instances": [b64(example(one)) for one in pictures],
    }
    assert post(api, body)[1] == plain


def test_one_can_ask_for_a_version_a_signature_and_some_answers(api: Api) -> None:
    request = asked([picture(9)])
    request.model_spec.version.value = 1
    request.output_filter.append("age")
    response = api.predictions.Predict(request, timeout=60)
    assert set(response.outputs) == {"age"}
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (
        "agegender",
        1,
        "serving_default",
    )
    status, found = post(
        api, {"instances": [b64(picture(9))]}, "/v1/models/agegender/versions/1:predict"
    )
    assert status == 200
    assert set(found["predictions"][0]) == set(features.OUTPUTS)


def test_states(api: Api) -> None:
    expected = {
        "model_version_status": [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    for path in ("/v1/models/agegender", "/v1/models/agegender/versions/1", "/V1/Models/agegender"):
        assert api.rest.get(path).json() == expected
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "agegender"
    (found,) = api.models.GetModelStatus(request, timeout=60).model_version_status
    assert (found.version, found.State.Name(found.state)) == (1, "AVAILABLE")


def test_metadata_says_the_same_over_both(api: Api) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "agegender"
    response = api.predictions.GetModelMetadata(request, timeout=60)
    assert response.model_spec.version.value == 1
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    takes = signatures.signature_def["serving_default"].inputs["image_bytes"]
    assert takes.dtype == tf.string.as_datatype_enum
    found = api.rest.get("/v1/models/agegender/metadata").json()
    assert found["model_spec"] == {"name": "agegender", "signature_name": "", "version": "1"}
    same = ParseDict(found["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap())
    assert same == signatures


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/v1/models/other", 404, "Could not find any versions of model other"),
        ("GET", "/v1/models/agegender/versions/7", 404, "Could not find version 7 of model"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/foo", 400, "Malformed request: GET /v1/foo"),
        ("POST", "/v1/models/agegender/versions/x:predict", 400, "Malformed request: POST"),
        ("POST", "/v1/models/agegender/versions/1/labels/x:predict", 400, "Malformed request"),
        ("POST", f"/v1/models/a/versions/{2**64}:predict", 400, "Failed to convert version"),
        ("POST", "/v1/models/other:predict", 404, "Servable not found for request: Latest(other)"),
        (
            "POST",
            "/v1/models/agegender/versions/7:predict",
            404,
            "Servable not found for request: Specific(agegender, 7)",
        ),
        (
            "POST",
            "/v1/models/agegender/labels/none:predict",
            400,
            "Unrecognized servable version label: none",
        ),
        (
            "POST",
            "/v1/models/agegender:classify",
            400,
            "Expected classification signature method_name to be tensorflow/serving/classify. "
            "Was: tensorflow/serving/predict",
        ),
        (
            "POST",
            "/v1/models/agegender:regress",
            400,
            "Expected regression signature method_name to be tensorflow/serving/regress. "
            "Was: tensorflow/serving/predict",
        ),
    ],
)
def test_refusals_over_rest(api: Api, method: str, path: str, status: int, said: str) -> None:
    body = {"instances": ["x"], "examples": [{"x": 1}]}
    response = api.rest.request(method, path, json=body if method == "POST" else None)
    assert response.status_code == status
    assert said in response.json()["error"]


def test_refusals_over_grpc(api: Api) -> None:
    one = [picture(9)]
    for request, code, said in [
        (
            asked(one, name="other"),
            CODES.NOT_FOUND,
            "Servable not found for request: Latest(other)",
        ),
        (
            asked(one, signature="none"),
            CODES.FAILED_PRECONDITION,
            'Serving signature key "none" not found.',
        ),
        (
            asked(one, takes="x"),
            CODES.INVALID_ARGUMENT,
            "input tensor alias not found in signature",
        ),
        (predict_pb2.PredictRequest(), CODES.INVALID_ARGUMENT, "Missing ModelSpec"),
        (asked([1.5]), CODES.INVALID_ARGUMENT, "string"),
        (asked([b"no picture"]), CODES.INVALID_ARGUMENT, "Unknown image file format"),
    ]:
        assert refusal(lambda r=request: api.predictions.Predict(r, timeout=60))[0] is code
        assert said in refusal(lambda r=request: api.predictions.Predict(r, timeout=60))[1]
    filtered = asked(one)
    filtered.output_filter.append("height")
    assert refusal(lambda: api.predictions.Predict(filtered, timeout=60)) == (
        CODES.INVALID_ARGUMENT,
        "output tensor alias not found in signature: height Outputs expected to be in the set "
        f"{{{','.join(sorted(features.OUTPUTS))}}}.",
    )


def test_what_the_model_cannot_do_is_refused_as_tf_serving_does(api: Api) -> None:
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name = "agegender"
    classify.input.example_list.examples.add()
    assert refusal(lambda: api.predictions.Classify(classify, timeout=60)) == (
        CODES.INVALID_ARGUMENT,
        "Expected classification signature method_name to be tensorflow/serving/classify. "
        "Was: tensorflow/serving/predict",
    )
    regress = regression_pb2.RegressionRequest()
    regress.CopyFrom(regression_pb2.RegressionRequest.FromString(classify.SerializeToString()))
    code, said = refusal(lambda: api.predictions.Regress(regress, timeout=60))
    assert (code, "tensorflow/serving/regress" in said) == (CODES.INVALID_ARGUMENT, True)
    many = inference_pb2.MultiInferenceRequest()
    many.input.CopyFrom(classify.input)
    many.tasks.add(method_name="tensorflow/serving/classify").model_spec.name = "agegender"
    assert refusal(lambda: api.predictions.MultiInference(many, timeout=60))[0] is (
        CODES.INVALID_ARGUMENT
    )


def test_a_broken_picture_is_the_senders_alone(api: Api) -> None:
    whole = picture(100)
    for broken in (whole[: len(whole) // 2], b"text", b""):
        status, found = post(api, {"instances": [b64(broken)]})
        assert status == 400
        assert "Graph execution" not in found["error"]
    assert post(api, {"instances": [b64(whole)]})[0] == 200


def test_png_and_gif_are_read_too(api: Api) -> None:
    for form in ("PNG", "GIF"):
        file = io.BytesIO()
        Image.new("RGB", (20, 20), (51, 51, 51)).save(file, form)
        (row,) = post(api, {"instances": [b64(file.getvalue())]})[1]["predictions"]
        assert row["age"] == pytest.approx(20, abs=1)
