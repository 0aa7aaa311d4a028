"""Load for one server, from a process of its own: clients that ask again once they are answered.

Usage: python -m benchmarks.serving_load plain|rest|grpc ADDRESS PICTURES CLIENTS BATCH SECONDS
Prints JSON: `latencies` in seconds, `seconds`, the `pictures` answered in them, those `asked` for
with warming up and winding down, `refused`, and `answers`, the first one [age, female_probability]
of each picture by its place in the folder.
"""

import base64
import http.client
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schema import features

Answer = tuple[float, float]
Ask = Callable[[list[bytes]], list[Answer]]
_WARM_UP = 2.0  # seconds that are not counted


def pictures_in(folder: Path) -> list[bytes]:
    """The pictures of a folder, in the order of their names."""
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def plain(address: str) -> Ask:
    """Asks the Flask route, one picture after the other."""
    host, _, port = address.rpartition(":")

    def ask(pictures: list[bytes]) -> list[Answer]:
        answers = []
        for picture in pictures:
            # Flask's own server closes the connection after each answer.
            connection = http.client.HTTPConnection(host, int(port), timeout=120)
            found = _posted(connection, "/predict", {"b64": base64.b64encode(picture).decode()})
            connection.close()
            answers.append(_answer(found))
        return answers

    return ask


def rest(address: str) -> Ask:
    """Asks over REST, all pictures in one request."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=120)
    path = f"/v1/models/{features.MODEL_NAME}:predict"

    def ask(pictures: list[bytes]) -> list[Answer]:
        instances = [{"b64": base64.b64encode(picture).decode()} for picture in pictures]
        found = _posted(connection, path, {"instances": instances})
        return [_answer(one) for one in found["predictions"]]

    return ask


def grpc(address: str) -> Ask:
    """Asks over gRPC, all pictures in one request."""
    import grpc as library
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow.core.framework.types_pb2 import DT_STRING
    from tensorflow_serving.apis.predict_pb2 import PredictRequest
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    service = PredictionServiceStub(library.insecure_channel(address))

    def ask(pictures: list[bytes]) -> list[Answer]:
        request = PredictRequest()
        request.model_spec.name = features.MODEL_NAME
        tensor = TensorProto(dtype=DT_STRING, string_val=pictures)
        tensor.tensor_shape.dim.add().size = len(pictures)
        request.inputs[features.INPUT_IMAGE_BYTES].CopyFrom(tensor)
        outputs = service.Predict(request, timeout=120).outputs
        ages, females = (
            outputs[name].float_val for name in (features.OUT_AGE, features.OUT_FEMALE_PROBABILITY)
        )
        return list(zip(ages, females, strict=True))

    return ask


def load(
    connect: Callable[[], Ask], pictures: list[bytes], clients: int, batch: int, seconds: float
) -> dict[str, Any]:
    """Asks from that many threads for that long; the result is described above."""
    latencies: list[float] = []
    answers: dict[int, Answer] = {}
    refused: list[str] = []
    asked: list[int] = []
    counting, stop = threading.Event(), threading.Event()

    def client(number: int, ask: Ask) -> None:
        for turn in itertools.count():
            if stop.is_set():
                return
            places = [(number + clients * turn + i) % len(pictures) for i in range(batch)]
            began = time.perf_counter()
            try:
                found = ask([pictures[place] for place in places])
            except Exception as error:
                refused.append(f"{type(error).__name__}: {error}")
                ask = connect()
                continue
            if counting.is_set():
                latencies.append(time.perf_counter() - began)
            asked.append(len(found))
            for place, answer in zip(places, found, strict=True):
                answers.setdefault(place, answer)

    # Connected first: importing what gRPC takes is not a client's waiting.
    asks = [connect() for _ in range(clients)]
    threads = [threading.Thread(target=client, args=one, daemon=True) for one in enumerate(asks)]
    for thread in threads:
        thread.start()
    time.sleep(_WARM_UP)
    counting.set()
    began = time.perf_counter()
    time.sleep(seconds)
    counting.clear()
    taken = time.perf_counter() - began
    stop.set()
    for thread in threads:
        thread.join(timeout=120)
    return {
        "latencies": latencies,
        "seconds": taken,
        "pictures": len(latencies) * batch,
        "asked": sum(asked),
        "refused": refused,
        "answers": answers,
    }


def _posted(connection: http.client.HTTPConnection, path: str, body: Any) -> Any:
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {text[:200]!r}")
    return json.loads(text)


def _answer(found: dict[str, Any]) -> Answer:
    return float(found[features.OUT_AGE]), float(found[features.OUT_FEMALE_PROBABILITY])


def main() -> None:
    """Loads, and prints what came of it."""
    kind, address, folder, clients, batch, seconds = sys.argv[1:]
    connect = {"plain": plain, "rest": rest, "grpc": grpc}[kind]
    pictures = pictures_in(Path(folder))
    found = load(lambda: connect(address), pictures, int(clients), int(batch), float(seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
