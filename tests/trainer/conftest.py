from pathlib import Path

import pytest

from tests import transform_graph


@pytest.fixture(scope="session")
def transform_16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Transform graph that stores pictures at 16 pixels."""
    return transform_graph.write(tmp_path_factory.mktemp("transform"), 16)
