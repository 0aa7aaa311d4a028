import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pipeline.drawn_examples import write_examples
from serving.app.asking import Models
from serving.client.folder import load_servable
from tests.serving.client import fake_server


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Two tiny models, the second of which says ten years more."""
    folder = tmp_path_factory.mktemp("models")
    fake_server.write_versions(folder)
    return {"first": load_servable(folder / "1"), "second": load_servable(folder / "2")}


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Drawn faces: several in the first picture, one in each of the others."""
    return write_examples(tmp_path_factory.mktemp("drawn") / "faces")


def _png(size: tuple[int, int], mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "note.jpg": (lambda: b"Dear model, who is this?", "This file cannot be used: not a picture"),
    "empty.jpg": (lambda: b"", "This file cannot be used: the file is empty"),
    "huge.png": (lambda: _png((20_000, 10_000), "1"), "make it smaller"),
    "wall.png": (lambda: _png((300, 200)), "No face was found in this picture"),
}


@pytest.fixture(scope="session")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Uploads that cannot be answered, and a part of the sentence that says so."""
    folder = tmp_path_factory.mktemp("bad")
    for name, (content, _) in BAD.items():
        (folder / name).write_bytes(content())
    return {folder / name: words for name, (_, words) in BAD.items()}
