from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf

from tests.serving.client import fake_server
from tests.serving.client.fake_server import Fake


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published folder with versions 1 and 2 of a tiny model."""
    folder = tmp_path_factory.mktemp("serving") / "agegender"
    fake_server.write_versions(folder)
    return folder


@pytest.fixture(scope="session")
def loaded(model_dir: Path) -> dict[int, object]:
    models = {v: tf.saved_model.load(str(model_dir / str(v))) for v in (1, 2)}
    return {v: model.signatures["serving_default"] for v, model in models.items()}


@pytest.fixture
def fake(loaded: dict[int, object]) -> Fake:
    return Fake(loaded)


@pytest.fixture
def grpc_url(fake: Fake) -> Iterator[str]:
    with fake_server.serving_grpc(fake) as url:
        yield url


@pytest.fixture
def rest_url(fake: Fake) -> Iterator[str]:
    with fake_server.serving_rest(fake) as url:
        yield url
