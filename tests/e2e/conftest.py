"""One run of the whole graph, shared by all tests here.

Files run in the order of their names: each goes on in the work folder as the one before left it.
"""

import shutil
from pathlib import Path

import pytest

from tests.e2e.running import FACES, run


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pipeline.sample import write_sample

    folder = tmp_path_factory.mktemp("faces")
    write_sample(folder / "drawn", FACES, 0)
    (folder / "drawn" / "notes.txt").write_text("not a picture")
    (folder / "drawn" / "30_1_20170101000000000.jpg").write_bytes(b"no race in the name")
    first, second, *_ = sorted((folder / "drawn").glob("*.chip.jpg"))
    shutil.copy(first, first.with_name(f"{first.name.partition('_2')[0]}_copy.jpg"))
    age, gender, rest = second.name.split("_", 2)
    shutil.copy(second, second.with_name(f"{age}_{1 - int(gender)}_{rest}"))
    return folder / "drawn"


@pytest.fixture(scope="session")
def first(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The work folder of a finished first run, and what it printed."""
    workdir = tmp_path_factory.mktemp("first") / "work"
    done = run(faces, workdir)
    assert done.returncode == 0, done.stdout + done.stderr
    return workdir, done.stdout
