"""Runs that are killed, and runs that have nothing to go on with."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline import record
from tests.e2e.running import command, run


@pytest.mark.parametrize(
    "node",
    [
        "Trainer_multitask_cnn",
        *(
            pytest.param(node, marks=pytest.mark.slow)
            for node in ("FaceExampleGen", "StatisticsGen", "Transform", "ServableCheck")
        ),
    ],
)
def test_a_run_killed_in_a_node_is_finished_by_the_next(
    faces: Path, first: tuple[Path, str], tmp_path: Path, node: str
) -> None:
    workdir = tmp_path / "work"
    process = subprocess.Popen(
        command(faces, workdir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    store = _wait_for_node(workdir, node, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = record.node(store, node)
    assert killed
    assert killed.state == "RUNNING"
    again = run(faces, workdir)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"✓ {node}" in again.stdout
    assert ("= FaceExampleGen" in again.stdout) == (node != "FaceExampleGen")
    assert _figures(workdir) == _figures(first[0])


def _figures(workdir: Path) -> dict[str, float]:
    """The val figures of the first finished training."""
    runs = workdir.glob("artifacts/Trainer_multitask_cnn/model_run/*/figures.json")
    return json.loads(min(runs, key=lambda p: int(p.parent.name)).read_text())["val"]  # type: ignore[no-any-return]


def _wait_for_node(
    workdir: Path, node: str, process: subprocess.Popen[bytes]
) -> record.MetadataStore:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if (workdir / "artifacts" / node).exists():
            return record.open_store(workdir / "metadata.db")
        time.sleep(0.05)
    raise AssertionError(f"{node} never started; exit code {process.poll()}")


def test_data_without_any_usable_picture_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "30_1_2_20170101000000000.jpg").write_bytes(b"not a picture")
    done = run(tmp_path / "data", tmp_path / "work")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert str(tmp_path / "data") in done.stdout + done.stderr


@pytest.mark.slow
def test_a_killed_search_goes_on_with_its_finished_trials(faces: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    asked = {
        "candidates": "[multitask]",
        "tuning__enabled": "true",
        "tuning__max_trials": "4",
        "tuning__epochs": "20",
    }
    process = subprocess.Popen(
        command(faces, workdir, **asked), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not list(workdir.glob("tuning/*/*/trial_1/trial.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in workdir.glob("tuning/*/*/*/record.json")}
    assert len(before) == 1
    again = run(faces, workdir, **asked)
    assert again.returncode in (0, 3), again.stdout + again.stderr
    assert "of 4 is best" in again.stdout
    assert len(list(workdir.glob("tuning/*"))) == 1
    for path, written in before.items():
        assert path.stat().st_mtime_ns == written
