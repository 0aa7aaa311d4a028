"""`agegender predict`: a row per face, whatever else is in the folder."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pipeline import predict_output
from pipeline.photograph_sources import list_sources
from pipeline.predict import run_predict
from serving.client import Answer
from serving.client.connect import Choice, Patience
from serving.predictions import Faces, Outcome, Region

PORTRAIT = Path(str(files("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg"))


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One face, two faces, none, and what is no picture."""
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    portrait = Image.open(PORTRAIT)
    (photos / "b.jpg").write_bytes(PORTRAIT.read_bytes())
    portrait.resize((128, 150)).save(tmp_path / "small.jpg")
    two = Image.new("RGB", (800, 600), "grey")
    two.paste(portrait, (288, 0))
    two.paste(portrait.resize((256, 300)), (0, 0))
    two.save(photos / "more" / "two.png")
    Image.fromarray(np.full((80, 120, 3), 90, np.uint8)).save(photos / "a.jpg")
    (photos / "c.jpg").write_bytes(PORTRAIT.read_bytes()[:2000])
    (photos / "notes.txt").write_text("not taken from a folder")
    (photos / ".hidden.jpg").write_text("nor is this")
    return photos


def ask(url: str, *arguments: str, **changed: Any) -> int:
    told: dict[str, Any] = {
        "url": url,
        "model_dir": Path("nowhere"),
        "choice": Choice(),
        "patience": Patience(),
        "what": Faces.FIND,
        "yunet": None,
        "form": "json",
    }
    return run_predict(list(arguments), **told | changed)


def agegender(*arguments: str, **told: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pipeline", "predict", *arguments]
    return subprocess.run(command, capture_output=True, check=False, **told)


def test_every_face_has_its_row_and_every_failure_its_line(
    rest_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask(rest_url, "photos", "photos/b.jpg", "nowhere.jpg", "*.jpeg") == 1
    out, errors = capfd.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    told = [(row["file"], row["face"], row["region"]) for row in rows]
    assert told == [
        ("photos/a.jpg", None, None),
        ("photos/b.jpg", 1, "face"),
        ("photos/more/two.png", 1, "face"),
        ("photos/more/two.png", 2, "face"),
    ], "in order, each file once"
    assert rows[0]["age"] is None
    left, top, width, height = rows[1]["box"]
    assert left < 262 < left + width, "about her nose"
    assert top < 225 < top + height
    assert rows[1]["age_low"] < rows[1]["age"] < rows[1]["age_high"]
    assert rows[1]["gender"] in ("female", "male")
    named = [line.split(":")[1].strip() for line in errors.splitlines()]
    assert named == ["nowhere.jpg", "*.jpeg", "photos/c.jpg"]


def test_csv_holds_the_same_as_json(rest_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert ask(rest_url, "photos/a.jpg", "photos/b.jpg") == 0
    as_json = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert ask(rest_url, "photos/a.jpg", "photos/b.jpg", form=None) == 0, "CSV where no terminal is"
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert len(rows) == 2
    for row, same in zip(rows, as_json, strict=True):
        box = [int(row[name]) for name in ("left", "top", "width", "height") if row[name]]
        assert box == (same.pop("box") or [])
        assert {k: row[k] for k in same} == {
            k: "" if v is None else str(v) for k, v in same.items()
        }


@pytest.mark.parametrize(
    ("what", "regions"), [("whole", ["whole"] * 2), ("auto", ["whole", "face"])]
)
def test_the_whole_picture_can_be_asked_about(
    rest_url: str, what: str, regions: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask(rest_url, "photos/a.jpg", "photos/b.jpg", what=Faces(what)) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [row["region"] for row in rows] == regions
    assert rows[0]["box"] == [0, 0, 120, 80]
    # 90 a pixel: the fake's years are a third of that and ten.
    assert rows[0]["age"] == pytest.approx(40, abs=0.5)


def test_one_picture_comes_by_standard_input(folder: Path, rest_url: str) -> None:
    with (folder / "b.jpg").open("rb") as picture:
        done = agegender("-", "--json", "--url", rest_url, stdin=picture)
    assert (done.returncode, done.stderr) == (0, b"")
    (row,) = map(json.loads, done.stdout.splitlines())
    assert (row["file"], row["face"]) == ("-", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Missing argument"),
        (["-", "photos"], 2, "goes with no other"),
        (["photos", "--faces", "all"], 2, "find, whole, auto"),
        (["photos", "--json", "--csv"], 2, "do not go together"),
        (["photos", "--url", "somewhere"], 2, "give grpc://host:port"),
        (["photos", "--version", "1", "--label", "stable"], 2, "do not go together"),
        (["photos", "--yunet", "none.onnx"], 2, "there is no such file"),
        (["photos"], 1, "no model is published here"),
        (["empty"], 1, "holds no pictures"),
    ],
)
def test_a_mistake_ends_in_one_line_and_its_code(
    arguments: list[str], code: int, said: str
) -> None:
    Path("empty").mkdir()
    done = agegender(*arguments)
    assert done.returncode == code
    assert said in (done.stdout + done.stderr).decode()
    assert b"Traceback" not in done.stderr


def test_ctrl_c_leaves_whole_rows(folder: Path, rest_url: str) -> None:
    count = 2000  # more than it can answer before it is told to stop
    for i in range(count):
        (folder / f"d{i:04d}.jpg").symlink_to(folder.parent / "small.jpg")
    command = [sys.executable, "-m", "pipeline", "predict", "photos", "--json", "--url", rest_url]
    child = subprocess.Popen(
        command,
        bufsize=0,  # what a buffer read ahead of the first line `communicate` would not see
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background job, as the tests may be, has the signal ignored, and hands that on.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout
    first = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    rest, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"Traceback" not in errors
    assert (first + rest).endswith(b"}\n")
    rows = [json.loads(line) for line in (first + rest).splitlines()]
    assert 0 < len(rows) < count


def test_a_reader_who_has_enough_ends_it_in_silence(folder: Path, rest_url: str) -> None:
    for i in range(40):
        (folder / f"d{i:03d}.jpg").symlink_to(folder.parent / "small.jpg")
    command = [sys.executable, "-m", "pipeline", "predict", "photos", "--csv", "--url", rest_url]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout
    assert child.stderr
    child.stdout.close()
    errors = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 1
    assert errors == b""


def test_a_name_of_any_bytes_breaks_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = Path("odd", os.fsdecode(b'\xff\n"a",\x1b[31m.jpg'))
    odd.parent.mkdir()
    odd.write_bytes(b"")
    (source,), errors = list_sources(["odd"])
    assert not errors
    outcome = Outcome(source.name, [(Region("face", (1, 2, 3, 4)), ANSWER)], [])
    lines, cells, shown = io.StringIO(), io.StringIO(), io.StringIO()
    with (
        predict_output.as_json(lines) as first,
        predict_output.as_csv(cells) as second,
        predict_output.as_table(Console(file=shown, width=100)) as third,
    ):
        for write in (first, second, third):
            write(outcome)
    expected = 'odd/\\xff\n"a",\x1b[31m.jpg'
    assert json.loads(lines.getvalue())["file"] == expected
    assert [row["file"] for row in csv.DictReader(io.StringIO(cells.getvalue()))] == [expected]
    assert "\x1b" not in shown.getvalue()
    assert "female" in shown.getvalue()
    assert "72%" in shown.getvalue()


ANSWER = Answer(33.26, 28.0, 41.0, 0.7182, "female", "30-39")
