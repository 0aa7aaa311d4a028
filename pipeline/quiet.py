"""Keeps what TensorFlow, Beam and TFX print out of the terminal, down to the file descriptors."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import absl.logging
from rich.console import Console

# Set before TensorFlow is imported anywhere in the process, and inherited by its children.
ENVIRONMENT = {
    # tensorflow_transform would switch to Keras 2, which KerasTuner and our models refuse.
    "TF_USE_LEGACY_KERAS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "1",
}


def prepare_environment() -> None:
    """Sets what must be set before TensorFlow is imported; what the user set stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextmanager
def muted() -> Iterator[None]:
    """Drops what C++ libraries write to standard error inside the block.

    TensorFlow says on every start what it was built with, whatever its log level. Threads' own
    writes are dropped too, so nothing else may be going on.
    """
    sys.stderr.flush()
    errors = os.dup(2)
    try:
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(errors, 2)
        os.close(errors)


@contextmanager
def logging_to(log: Path, verbose: bool) -> Iterator[Console]:
    """Sends everything printed inside the block to a log; yields a console on the terminal.

    C++ libraries write to descriptors 1 and 2, so those are redirected. With `verbose` nothing is:
    all of it goes to the terminal.
    """
    if verbose:
        _log_everything()
        yield Console(highlight=False)
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal, errors = os.dup(1), os.dup(2)
    try:
        with (
            log.open("ab", buffering=0) as sink,
            os.fdopen(terminal, "w", encoding="utf-8", closefd=False) as stream,
        ):
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            _log_everything()
            yield Console(file=stream, highlight=False)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(terminal, 1)
        os.dup2(errors, 2)
        os.close(terminal)
        os.close(errors)


def _log_everything() -> None:
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    # Through absl itself: TensorFlow's export puts back whatever verbosity absl believes in, and
    # the runner announces its nodes at INFO.
    absl.logging.set_verbosity(absl.logging.INFO)
    logging.captureWarnings(True)
    logging.getLogger("apache_beam.typehints").setLevel(logging.WARNING)  # thousands of lines
