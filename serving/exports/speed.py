"""What a servable and an export take to answer: in turn, on one core, in a process of their own.

Counted is the core's own time: a neighbour on a busy machine changes it little.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

SECONDS = 3.0  # of timing, for both together
_WARM_UP, _LEAST = 5, 20  # calls of each


def measure(servable: str, export: str, pictures: Sequence[bytes], size: int) -> dict[str, float]:
    """Milliseconds of one core for one picture, the median: `servable_ms`, `export_ms`; `calls`.

    Both are given the encoded picture: decoding and resizing it is part of the time.

    Args:
      servable: a SavedModel.
      export: a .tflite or .keras file.
      pictures: encoded, gone through again and again.
      size: side of the export's pictures, pixels.
    """
    # Spawned: threads of TensorFlow would not survive a fork, nor keep to one core.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, servable, export, list(pictures), size).result()


def _measure(servable: str, export: str, pictures: list[bytes], size: int) -> dict[str, float]:
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # what is compared is the model, not the device
    # Before TensorFlow makes its threads, which inherit it.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from schema import features
    from serving.exports import faces, files

    signature = tf.saved_model.load(servable).signatures[features.SIGNATURE_DEFAULT]
    ask = files.asking(export, threads=1)
    decode = faces.decoder(size)

    def ask_servable(picture: bytes) -> None:
        for answer in signature(**{features.INPUT_IMAGE_BYTES: tf.constant([picture])}).values():
            answer.numpy()

    def ask_export(picture: bytes) -> None:
        ask(decode(picture)[None])

    times = _in_turn((ask_servable, ask_export), pictures)
    served, exported = (round(1000 * statistics.median(one), 3) for one in times)
    return {"servable_ms": served, "export_ms": exported, "calls": len(times[0])}


def _in_turn(calls: Sequence[Callable[[bytes], None]], pictures: list[bytes]) -> list[list[float]]:
    """Seconds of the core that calls took, in all threads, after some to warm up."""
    times: list[list[float]] = [[] for _ in calls]
    turn = -_WARM_UP
    while turn < _LEAST or sum(map(sum, times)) < SECONDS:
        for call, taken in zip(calls, times, strict=True):
            started = time.process_time()
            call(pictures[turn % len(pictures)])
            if turn >= 0:
                taken.append(time.process_time() - started)
        turn += 1
    return times
