"""Times one SavedModel on one core; run in a process of its own.

As in `servable_check.probe`, nothing but TensorFlow is imported. It loads the model at once and
times it when told to: so others may work meanwhile, and rest while it measures. The request comes
as a line of JSON on standard input and a second line says when; the answer leaves as JSON on
standard output.
"""

import json
import os
import signal
import statistics
import sys
import time
from typing import Any

WARM_UP, LEAST = 5, 10  # calls


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Loads the model, waits for the second line, and times the signature.

    Args:
      request: `model_dir`; `example_files` and `image_feature`, their key of the picture;
        `signature` and `input`; `batch`, how many pictures are asked at once for the rate;
        `seconds` to time either for.

    Returns:
      `latency_ms`, the median for one picture; `images_per_second` at the median time of a batch;
      `batch`; `calls` and `batches`, how many were timed; `cores`.
    """
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})  # before TensorFlow makes its threads, which inherit it
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = tf.saved_model.load(request["model_dir"])
    ask = model.signatures[request["signature"]]
    files, count = request["example_files"], request["batch"]
    examples = list(tf.data.TFRecordDataset(files, "GZIP").take(count).as_numpy_iterator())
    # A split of fewer faces is gone through again.
    pictures = [
        _image(examples[index % len(examples)], request["image_feature"]) for index in range(count)
    ]

    def call(some: list[bytes]) -> None:
        for output in ask(**{request["input"]: tf.constant(some)}).values():
            output.numpy()

    for picture in pictures[:WARM_UP]:
        call([picture])
    call(pictures)
    sys.stdin.readline()
    singles = _times(lambda index: call([pictures[index % count]]), request["seconds"])
    batches = _times(lambda _: call(pictures), request["seconds"])
    return {
        "latency_ms": round(1000 * statistics.median(singles), 3),
        "images_per_second": round(count / statistics.median(batches), 2),
        "batch": count,
        "calls": len(singles),
        "batches": len(batches),
        "cores": len(os.sched_getaffinity(0)),
    }


def _times(call: Any, seconds: float) -> list[float]:
    """How long each call took, seconds; as many as fit, and LEAST in any case."""
    times: list[float] = []
    while sum(times) < seconds or len(times) < LEAST:
        started = time.perf_counter()
        call(len(times))
        times.append(time.perf_counter() - started)
    return times


def _image(example: bytes, feature: str) -> bytes:
    import tensorflow as tf

    return tf.train.Example.FromString(example).features.feature[feature].bytes_list.value[0]


def main() -> None:
    """Answers the request on standard input."""
    request = json.loads(sys.stdin.readline())
    # Ends this process even when nobody is left to wait for it.
    signal.alarm(request["max_seconds"])
    # The model's own print operations may write to standard output.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    reply = json.dumps(measure(request))
    with open(answers, "w") as out:
        out.write(reply)


if __name__ == "__main__":
    main()
