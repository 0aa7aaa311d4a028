import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from pipeline.errors import UserError
from pipeline.export_space import CARD, REQUIREMENTS, run_export_space
from serving.client import connect
from serving.faces import haar
from serving.predictions import Faces, regions
from tests.conftest import NO_NETWORK, ROOT

# Runs app.py as `python app.py` would, and says afterwards what came from where.
_RUN = """
import json, runpy, sys
sys.path.insert(0, "")
runpy.run_path("app.py", run_name="__main__")
found = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("space")
    assert run_export_space(folder / "new" / "space", folder, model_dir, 2, None, False) == 0
    return folder / "new" / "space"


@contextmanager
def started(space: Path, python: str, code: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The page's address, and what is printed after it has been stopped."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GRADIO_")
    }
    environment["PYTHONPATH"] = str(NO_NETWORK)
    said: list[str] = []
    with subprocess.Popen(
        [python, *code], cwd=space, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+/", line)
            assert address, line
            yield address[0], said
        finally:
            process.send_signal(signal.SIGTERM)
            said += process.stdout.read().splitlines()
    assert process.returncode == 0


def ask(address: str, picture: Path) -> str:
    from gradio_client import Client, handle_file

    client = Client(address, verbose=False, download_files=False)
    return str(client.predict(handle_file(picture), False, ["version 2"], api_name="/ask"))


def age(model_dir: Path, picture: Path) -> str:
    """As the page should show it, asked without the page."""
    ((_, crop),) = regions(picture.read_bytes(), Faces.FIND, haar())
    with connect(model_dir=model_dir) as asked:
        return f"<strong>{asked([crop])[0].age:.0f}</strong> years"


def test_it_starts_from_its_folder_alone_and_answers(space: Path, model_dir: Path) -> None:
    picture = space / "examples" / "drawn-1.jpg"
    with started(space, sys.executable, ["-c", _RUN]) as (address, said):
        assert age(model_dir, picture) in ask(address, picture)
    modules = json.loads(said[-1])
    assert not {"tfx", "apache_beam", "ml_metadata", "mlflow"} & modules.keys()
    ours = [file for file in modules.values() if file and Path(file).is_relative_to(ROOT)]
    packages = [Path(sys.prefix).absolute(), NO_NETWORK]
    assert not [file for file in ours if not any(map(Path(file).is_relative_to, packages))]
    assert Path(modules["serving"]).parent == space / "serving"


@pytest.mark.slow
def test_it_starts_with_nothing_but_its_requirements(
    space: Path, model_dir: Path, tmp_path: Path
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    uv = str(Path(sys.prefix) / "bin" / "uv")
    python = str(tmp_path / "venv" / "bin" / "python")
    wanted = str(space / "requirements.txt")
    for step in (
        ["venv", "--python", sys.executable, str(tmp_path / "venv")],
        ["pip", "install", "--python", python, "-r", wanted],
    ):
        subprocess.run([uv, "-q", *step], env=environment, check=True)
    picture = space / "examples" / "drawn-1.jpg"
    with started(space, python, ["app.py"]) as (address, _):
        assert age(model_dir, picture) in ask(address, picture)


def test_it_says_what_a_space_must(space: Path) -> None:
    header = yaml.safe_load((space / "README.md").read_text().split("---")[1])
    pins = dict(line.split("==") for line in (space / "requirements.txt").read_text().splitlines())
    assert set(pins) == set(REQUIREMENTS.values())
    assert (header["sdk"], header["app_file"]) == ("gradio", "app.py")
    assert header["sdk_version"] == pins["gradio"]
    assert len(header["short_description"]) <= 60  # Hugging Face's limit
    assert "non-commercial" in (space / "README.md").read_text()
    assert not (space / CARD).exists()  # no run is on record here
    assert {path.name for path in space.parent.iterdir()} == {"space"}


def test_what_is_there_is_not_lost(space: Path, model_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "clone"
    shutil.copytree(space, target)
    (target / ".git").mkdir()
    (target / "stale.txt").touch()
    with pytest.raises(UserError, match="is not empty; --force writes over"):
        run_export_space(target, tmp_path, model_dir, None, None, False)
    with pytest.raises(UserError, match="there is no version 7; it holds 1, 2"):
        run_export_space(target, tmp_path, model_dir, 7, None, True)
    assert (target / "stale.txt").exists()
    assert run_export_space(target, tmp_path, model_dir, None, None, True) == 0
    assert (target / ".git").is_dir()
    assert not (target / "stale.txt").exists()

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(UserError, match="no earlier Space"):
        run_export_space(tmp_path / "mine", tmp_path, model_dir, None, None, True)
    with pytest.raises(UserError, match="no candidate big; there are: none"):
        run_export_space(tmp_path / "other", tmp_path, model_dir, None, "big", False)
    assert not (tmp_path / "other").exists()
