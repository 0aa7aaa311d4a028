"""How fast a servable answers on one core, measured in a process of its own."""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schema import features

PROBE = Path(__file__).with_name("speed_probe.py")
BATCH = 32
SECONDS = 1.0  # of timing, for single pictures and again for batches
MAX_SECONDS = 300  # for loading, waiting and timing

Speed = dict[str, Any]  # what `speed_probe.measure` returns, and `cpu`, its name


class SpeedError(RuntimeError):
    """The process ended without an answer."""


@contextmanager
def stopwatch(model_dir: str, example_files: Sequence[str]) -> Iterator[Callable[[], Speed]]:
    """Starts a process that loads a servable; yields what times it and waits for the figures.

    Decoding the pictures is part of the time.

    Args:
      model_dir: a SavedModel.
      example_files: gzipped TFRecords of raw examples, whose first pictures it is asked with.
    """
    request = {
        "model_dir": model_dir,
        "example_files": list(example_files),
        "image_feature": features.IMAGE,
        "signature": features.SIGNATURE_DEFAULT,
        "input": features.INPUT_IMAGE_BYTES,
        "batch": BATCH,
        "seconds": SECONDS,
        "max_seconds": MAX_SECONDS,
    }
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            # -I: neither this folder, nor the working directory, nor PYTHONPATH is importable.
            [sys.executable, "-I", PROBE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # What is compared is the model, not the device.
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        )
        try:
            _say(process, json.dumps(request))

            def measure() -> Speed:
                said, _ = process.communicate("now\n")
                if process.returncode:
                    log.seek(0)
                    last = (log.read().strip().splitlines() or ["no message"])[-1]
                    raise SpeedError(f"timing {model_dir} ended by {process.returncode}: {last}")
                return {**json.loads(said), "cpu": _cpu()}

            yield measure
        finally:
            process.kill()
            process.wait()


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _cpu() -> str:
    """The processor's name, as far as the system knows it."""
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.machine()
