"""Shows the page: on this machine alone unless a host is given, and keeping no picture."""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from serving import faces, photographs
from serving.app.asking import Models

KEPT = (
    "Pictures are kept for at most eleven minutes, in a temporary folder that goes when the page "
    "is stopped."
)


@contextmanager
def running(
    models: Models,
    examples: Sequence[Path],
    about: str = "",
    *,
    host: str | None = None,
    port: int | None = None,
    sent_to: str = "",
) -> Iterator[str]:
    """Yields the page's address; stops it afterwards, and deletes what was uploaded.

    Args:
      models: that can be asked, the first one preferred; it is asked once before the page is shown.
      examples: pictures to try.
      about: Markdown that is shown below the limits.
      host: to listen on; None is GRADIO_SERVER_NAME, or 127.0.0.1.
      port: likewise; None is GRADIO_SERVER_PORT, or the first free one from 7860.
      sent_to: the address that pictures are sent to, if any.

    Raises:
      UserError: the model does not answer, or the host and port cannot be listened on.
    """
    _warm(models)
    with tempfile.TemporaryDirectory(prefix="agegender-page-") as folder, _environment(folder):
        from serving.app import page

        where = f"Faces are sent to {sent_to}. " if sent_to else "Pictures are sent nowhere else. "
        built = page.build(models, examples, page.Words(about, where + KEPT))
        try:
            _, url, _ = built.launch(
                server_name=host, server_port=port, share=False, quiet=True, inbrowser=False,
                prevent_thread_lock=True, ssr_mode=False, theme=page.THEME, css=page.CSS,
                footer_links=[], max_file_size=page.MAX_UPLOAD, enable_monitoring=False,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            place = f"{host or '127.0.0.1'}:{port}"
            raise UserError(f"{place} cannot be listened on; give another --port") from error
        try:
            yield url
        finally:
            built.close(verbose=False)


def until_stopped(ready: Callable[[], Any] = lambda: None) -> None:
    """Waits for Ctrl-C or a SIGTERM; `ready` is called once both are waited for."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    ready()
    stopped.wait()


def _warm(models: Models) -> None:
    """Asks the preferred model once, so that nobody waits for it later."""
    grey = np.full((faces.CHIP_SIZE, faces.CHIP_SIZE, 3), 128, np.uint8)
    next(iter(models.values()))([photographs.encode(grey)])


@contextmanager
def _environment(folder: str) -> Iterator[None]:
    """Has Gradio keep its files in a folder, for as long as the block runs."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
