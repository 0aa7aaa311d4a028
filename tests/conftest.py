import importlib.util
import os
from pathlib import Path

import pytest

from pipeline import quiet

ROOT = Path(__file__).parent.parent
NO_NETWORK = Path(__file__).parent / "no_network"

quiet.prepare_environment()
# This process and every child it starts refuse to reach outside the machine.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(NO_NETWORK), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)
_spec = importlib.util.spec_from_file_location("no_network", NO_NETWORK / "sitecustomize.py")
assert _spec
assert _spec.loader
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests of a folder on one worker, where `make test` runs several.

    They share what is costly to make, and those of whole runs go on where the ones before stopped.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(item.path.parent.relative_to(ROOT).as_posix()))


@pytest.fixture(scope="session")
def utkface() -> Path:
    """The real archive, where it is at hand."""
    path = Path(os.environ.get("AGEGENDER_UTKFACE", ROOT / "../shared/data/UTKFace.tar.gz"))
    if not path.exists():
        pytest.skip("no UTKFace archive: set AGEGENDER_UTKFACE to its path")
    return path.resolve()
