"""Clients that ask a server without end, and keep what they were answered."""

import base64
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.components.servable_check.servables import picture
from tests.serving.server.conftest import Running

PREDICT = "/v1/models/agegender:predict"
GREYS = (40, 90, 140, 200)
Ask = Callable[[], tuple[int, float]]  # to the grey that was sent, and the age it was given


def body(*pictures: bytes) -> dict[str, Any]:
    return {"instances": [{"b64": base64.b64encode(one).decode()} for one in pictures]}


def request(*pictures: bytes) -> predict_pb2.PredictRequest:
    found = predict_pb2.PredictRequest(
        inputs={"image_bytes": tf.make_tensor_proto(list(pictures), shape=[len(pictures)])}
    )
    found.model_spec.name = "agegender"
    return found


def over_rest(server: Running, number: int) -> Ask:
    client = httpx.Client(base_url=server.rest, timeout=60)
    grey = GREYS[number % len(GREYS)]
    sent = body(picture(grey))

    def ask() -> tuple[int, float]:
        response = client.post(PREDICT, json=sent)
        assert response.status_code == 200, response.text
        return grey, response.json()["predictions"][0]["age"]

    return ask


def over_grpc(server: Running, number: int) -> Ask:
    service = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.grpc))
    grey = GREYS[number % len(GREYS)]
    sent = request(picture(grey))

    def ask() -> tuple[int, float]:
        return grey, service.Predict(sent, timeout=60).outputs["age"].float_val[0]

    return ask


class Kept:
    """What clients were answered: the years found in white, rounded, and what failed."""

    def __init__(self) -> None:
        self.years: Counter[int] = Counter()
        self.failures: list[str] = []

    def add(self, grey: int, age: float) -> None:
        self.years[round(age / grey * 255)] += 1


@contextmanager
def asking(server: Running, each: int) -> Iterator[Kept]:
    """That many clients of either protocol, until the block ends."""
    kept, stop = Kept(), threading.Event()

    def client(ask: Ask) -> None:
        while not stop.is_set():
            try:
                kept.add(*ask())
            except Exception as error:
                kept.failures.append(f"{type(error).__name__}: {error}")

    asks = [connect(server, i) for i in range(each) for connect in (over_rest, over_grpc)]
    threads = [threading.Thread(target=client, args=[ask]) for ask in asks]
    for thread in threads:
        thread.start()
    try:
        yield kept
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=120)
