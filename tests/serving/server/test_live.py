"""A running server: versions come and go under load, limits hold, and it ends without a loss."""

import io
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving import versions
from tests.components.servable_check.servables import picture
from tests.serving.drills import write_model
from tests.serving.server.clients import PREDICT, asking, body, request
from tests.serving.server.conftest import ROOT, Running, serving

CODES = grpc.StatusCode
LIMITS = ("--max-batch-size", "8", "--max-queued", "32", "--max-body-bytes", "200000")


@pytest.fixture(scope="module")
def live(
    servable: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Path]]:
    """A server with narrow limits, and the folder it serves."""
    folder = tmp_path_factory.mktemp("live")
    versions.publish(servable, folder / "agegender")
    with serving(folder / "agegender", folder / "log", *LIMITS) as running:
        yield running, folder / "agegender"


def ages(server: Running, *pictures: bytes) -> list[float]:
    response = httpx.post(server.rest + PREDICT, json=body(*pictures), timeout=60)
    return [row["age"] for row in response.raise_for_status().json()["predictions"]]


def test_no_request_is_lost_while_versions_change(
    live: tuple[Running, Path], servable: Path, other_servable: Path, tmp_path: Path
) -> None:
    server, base = live
    with asking(server, each=3) as kept:
        # Half as old in version 2; 3 does not load; 4 is version 1 again.
        assert versions.publish(other_servable, base) == 2
        assert server.said("version 1 is served no more")
        assert ages(server, picture(200)) == pytest.approx([200 / 255 * 50], abs=0.5)
        assert versions.publish(write_model(tmp_path / "broken", 7), base) == 3
        assert server.said("version 3 does not load: ")
        assert server.said("; still serving 2")
        assert ages(server, picture(200)) == pytest.approx([200 / 255 * 50], abs=0.5)
        assert versions.publish(servable, base) == 4
        assert server.said("version 2 is served no more")
        assert ages(server, picture(200)) == pytest.approx([200 / 255 * 100], abs=0.5)
    assert kept.failures == []
    # Every answer is one version's or the other's.
    assert all(min(abs(found - 50), abs(found - 100)) <= 2 for found in kept.years)
    assert sum(kept.years.values()) > 20
    states = httpx.get(server.rest + "/v1/models/agegender").json()["model_version_status"]
    found = {one["version"]: one["state"] for one in states}
    assert found == {"4": "AVAILABLE", "3": "END", "2": "END", "1": "END"}
    (broken,) = (one for one in states if one["version"] == "3")
    assert broken["status"]["error_code"] != "OK"
    assert broken["status"]["error_message"]


def test_labels_are_moved_as_in_tf_serving(live: tuple[Running, Path]) -> None:
    server, base = live
    newest = versions.list_versions(base)[-1]
    channel = grpc.insecure_channel(server.grpc)
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    reload = model_management_pb2.ReloadConfigRequest()
    config = reload.config.model_config_list.config.add(name="agegender", base_path=str(base))
    config.version_labels["stable"] = 1
    config.model_version_policy.latest.num_versions = 1
    models.HandleReloadConfigRequest(reload, timeout=120)
    asked = request(picture(200))
    asked.model_spec.version_label = "stable"
    service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    assert service.Predict(asked, timeout=60).model_spec.version.value == 1
    asked.model_spec.version_label = "canary"
    assert service.Predict(asked, timeout=60).model_spec.version.value == newest
    config.version_labels["stable"] = 99
    with pytest.raises(grpc.RpcError, match="not currently available for inference"):
        models.HandleReloadConfigRequest(reload, timeout=120)
    config.name = "other"
    with pytest.raises(grpc.RpcError, match="serves one model: agegender"):
        models.HandleReloadConfigRequest(reload, timeout=120)
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "agegender"
    found = models.GetModelStatus(status, timeout=60).model_version_status
    assert {one.version for one in found if one.state == one.AVAILABLE} == {1, newest}


def test_limits_are_said_and_hold(live: tuple[Running, Path]) -> None:
    server, _ = live
    small = picture(50)
    for sent, status, said in [
        (body(small * 400), 413, "larger than 200000 bytes"),
        (body(*[small] * 9), 400, "Task size 9 is larger than maximum input batch size 8"),
    ]:
        response = httpx.post(server.rest + PREDICT, json=sent, timeout=60)
        assert response.status_code == status
        assert said in response.json()["error"]
    # A body of unknown length is not read to its end either.
    endless = iter([b"x" * 50_000] * 100)
    response = httpx.post(server.rest + PREDICT, content=endless, timeout=60)
    assert response.status_code == 413
    service = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.grpc))
    with pytest.raises(grpc.RpcError) as refused:
        service.Predict(request(small * 400), timeout=60)
    assert refused.value.code() is CODES.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]

    def ask(_: int) -> int:
        return httpx.post(server.rest + PREDICT, json=body(*[small] * 8), timeout=60).status_code

    with ThreadPoolExecutor(24) as pool:
        found = set(pool.map(ask, range(72)))
    assert found == {200, 429}
    assert ages(server, picture(200))


def test_a_picture_of_too_many_pixels_is_not_decoded(server: Running) -> None:
    file = io.BytesIO()
    Image.new("1", (2000, 2000)).save(file, "PNG")
    response = httpx.post(server.rest + PREDICT, json=body(file.getvalue()), timeout=60)
    assert response.status_code == 400
    assert response.json() == {"error": "Input 0: 2000x2000 is more than 10000 pixels"}


def test_health_and_metrics(server: Running) -> None:
    assert ages(server, picture(10))
    assert httpx.get(server.rest + "/healthz").json() == {"status": "alive"}
    assert httpx.get(server.rest + "/readyz").json() == {"status": "ready", "versions": [1]}
    health = health_pb2_grpc.HealthStub(grpc.insecure_channel(server.grpc))
    for name in ("", "tensorflow.serving.PredictionService"):
        asked = health_pb2.HealthCheckRequest(service=name)
        assert health.Check(asked, timeout=60).status == health_pb2.HealthCheckResponse.SERVING
    page = httpx.get(server.rest + "/monitoring/prometheus/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    for line in (
        ':tensorflow:serving:request_count{model_name="agegender",status="OK"}',
        ':tensorflow:serving:request_latency_count{API="predict",entrypoint="REST",'
        'model_name="agegender"}',
        'agegender_version_available{version="1"} 1.0',
        "process_resident_memory_bytes",
    ):
        assert line in page.text


def test_sigterm_answers_what_is_at_work(base_path: Path, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (1500, 1500), 90).save(file, "PNG")
    sent = body(*[file.getvalue()] * 8)
    with serving(base_path, tmp_path / "log") as server, ThreadPoolExecutor(8) as pool:

        def ask(_: int) -> int:
            return httpx.post(server.rest + PREDICT, json=sent, timeout=60).status_code

        asked = [pool.submit(ask, i) for i in range(8)]
        while _at_work(server) < 8:
            time.sleep(0.01)
        server.process.terminate()
        assert server.said("stopping: requests at work are answered first")
        assert [one.result() for one in asked] == [200] * 8
        assert server.process.wait(timeout=60) == 0
        with pytest.raises(httpx.TransportError):
            httpx.get(server.rest + "/healthz")


def _at_work(server: Running) -> float:
    page = httpx.get(server.rest + "/monitoring/prometheus/metrics").text
    found = (one for one in page.splitlines() if one.startswith("agegender_requests_at_work "))
    return float(next(found).split()[1])


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 1, "holds no version to serve: publish one with `agegender run`"),
        (["--label", "stable"], 2, "--label stable=: it takes NAME=VERSION"),
        (["--port", "70000"], 2, "--port 70000: Input should be less than or equal to 65535"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, options: list[str], code: int, said: str
) -> None:
    command = [sys.executable, "-m", "pipeline", "serve", "--base-path", str(tmp_path), *options]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert ended.returncode == code
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_taken_port_is_said(base_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "pipeline", "serve", "--base-path", str(base_path)]
        command += ["--port", "0", "--rest-port", port]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (ended.returncode, ended.stderr) == (
        1,
        f"agegender: 127.0.0.1:{port} cannot be listened at (Address already in use): "
        "choose another --rest-port\n",
    )
