from pathlib import Path

import pytest

from components.servable_check.warm_up import write_warm_up
from tests.components.servable_check import servables


@pytest.fixture(scope="session")
def sound_servable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A servable without fault, warm-up requests included."""
    folder = servables.export(tmp_path_factory.mktemp("servable") / "model")
    write_warm_up(str(folder / "assets.extra" / "tf_serving_warmup_requests"))
    return folder


@pytest.fixture(scope="session")
def example_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return servables.write_examples(tmp_path_factory.mktemp("examples") / "examples.gz")
