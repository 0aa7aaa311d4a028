"""Whatever is sent, no answer but a documented one, and the next caller is answered as ever."""

import io
import json
import os
import random
import socket
import time
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving import versions
from tests.components.servable_check.servables import picture
from tests.serving.drills import write_model
from tests.serving.server.clients import PREDICT, asking, body, request
from tests.serving.server.conftest import Running, serving

SOME, MANY = 300, 12_000
REFUSALS = {400, 404, 413, 429}
CHECKS = [
    *(not_a_server_error, status_code_conformance),
    *(content_type_conformance, response_schema_conformance),
]
MALFORMED = {
    *(grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION),
    *(grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED),
    grpc.StatusCode.INTERNAL,  # gRPC's own, for bytes that are no message at all
}


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_rest_does_what_its_description_says(server: Running, mode: GenerationMode) -> None:
    described = schemathesis.openapi.from_url(server.rest + "/openapi.json")
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) == 17
    for operation in operations:

        @given(operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=10,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def holds(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        # Nothing is wrong for a name: the rest of what can be wrong is in bodies.
        if mode is GenerationMode.POSITIVE or operation.body:
            holds()


def spoilt(content: bytes, chance: random.Random) -> bytes:
    """Cut, overwritten, doubled or swapped in places."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(5):
            case 0:
                del found[at:]
            case 1:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                found[at : at + chance.randrange(20)] = chance.randbytes(chance.randrange(20))
            case 3:
                found[at:at] = found[: chance.randrange(40)]
            case 4:
                del found[at : at + chance.randrange(40)]
    return bytes(found)


def pictures() -> list[bytes]:
    found = [picture(120)]
    for form in ("PNG", "GIF"):
        file = io.BytesIO()
        Image.linear_gradient("L").resize((40, 30)).save(file, form)
        found.append(file.getvalue())
    return found


def attack(server: Running, count: int, seed: int) -> dict[str, int]:
    """Sends that many spoilt pictures, bodies and messages; how often each was answered how."""
    chance = random.Random(seed)
    service = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.grpc))
    raw = grpc.insecure_channel(server.grpc).unary_unary(
        "/tensorflow.serving.PredictionService/Predict",
        request_serializer=bytes,
        response_deserializer=bytes,
    )
    whole, found = pictures(), {}
    with httpx.Client(base_url=server.rest, timeout=60) as client:
        for i in range(count):
            spoilt_one = spoilt(chance.choice(whole), chance)
            match i % 4:
                case 0:
                    status = client.post(PREDICT, json=body(spoilt_one)).status_code
                case 1:
                    sent = spoilt(json.dumps(body(whole[0])).encode(), chance)
                    status = client.post(PREDICT, content=sent).status_code
                case 2:
                    status = grpc_status(service.Predict, request(spoilt_one, whole[0]))
                case _:
                    sent = spoilt(request(whole[0]).SerializeToString(), chance)
                    status = grpc_status(raw, sent)
            found[str(status)] = found.get(str(status), 0) + 1
            assert status in {200, *REFUSALS, *MALFORMED}, (i, status, spoilt_one)
    return found


def grpc_status(call: Any, sent: Any) -> Any:
    try:
        call(sent, timeout=60)
    except grpc.RpcError as error:
        return error.code()  # type: ignore[attr-defined]
    return 200


def test_spoilt_pictures_bodies_and_messages_are_refused(server: Running) -> None:
    with asking(server, each=1) as kept:
        found = attack(server, SOME, seed=0)
    # The callers beside it noticed nothing.
    assert kept.failures == []
    assert all(abs(years - 100) <= 2 for years in kept.years)
    assert kept.years
    assert found["400"] > SOME / 10
    assert server.process.poll() is None


@pytest.mark.slow
def test_thousands_of_spoilt_pictures_bodies_and_messages(server: Running) -> None:
    found = attack(server, MANY, seed=1)
    assert sum(found.values()) == MANY
    assert server.process.poll() is None
    assert httpx.post(server.rest + PREDICT, json=body(picture(9)), timeout=60).status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_half_an_hour_of_load_swaps_and_hostility(
    servable: Path, other_servable: Path, tmp_path: Path
) -> None:
    """AGEGENDER_DRILL_MINUTES makes it shorter or longer."""
    minutes = float(os.environ.get("AGEGENDER_DRILL_MINUTES", "30"))
    base = tmp_path / "agegender"
    versions.publish(servable, base)
    with serving(base, tmp_path / "log") as server, asking(server, each=4) as kept:
        process = psutil.Process(server.process.pid)
        ages: list[int] = []
        resident: list[int] = []
        until = _clock(minutes)
        while not until():
            turn = len(resident)
            source = [other_servable, servable, write_model(tmp_path / f"broken{turn}", 7)][
                turn % 3
            ]
            number = versions.publish(source, base)
            served = "does not load" if turn % 3 == 2 else "is served"
            assert server.said(f"version {number} {served}", seconds=300)
            attack(server, 200, seed=turn)
            hang_up(server, 20)
            resident.append(process.memory_info().rss)
            ages.append(number)
    assert kept.failures == []
    assert all(min(abs(found - 50), abs(found - 100)) <= 2 for found in kept.years)
    settled = resident[len(resident) // 3 :]
    half = len(settled) // 2
    early, late = max(settled[:half]), max(settled[half:])
    print(f"{sum(kept.years.values())} answers, {len(ages)} publications, RSS in MiB:")
    print([one // 2**20 for one in resident])
    assert late <= 1.05 * early


def _clock(minutes: float) -> Any:
    end = time.monotonic() + 60 * minutes
    return lambda: time.monotonic() > end


def hang_up(server: Running, count: int) -> None:
    """Asks and goes away before, while and after the body is sent."""
    host, _, port = server.rest.removeprefix("http://").rpartition(":")
    sent = json.dumps(body(picture(9))).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
    for i in range(count):
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            whole = head + sent
            connection.sendall(whole[: len(whole) * (i + 1) // count])
