"""The command on a work folder that a run left: a small real model behind real MLMD records."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from typer.testing import CliRunner

from pipeline import export, exportable
from pipeline.cli import app
from pipeline.errors import UserError
from pipeline.export import Wanted, run_export
from schema import features
from serving import versions
from serving.exports import speed
from tests import faces, transform_graph
from tests.pipeline.past import Past
from tests.serving.exports import candidates
from trainer import runs
from trainer.export import export_servable

COUNT = 30


def write_raw(folder: Path, count: int, seed: int) -> None:
    """Raw examples as FaceExampleGen writes them, as far as exports read them."""
    folder.mkdir(parents=True)
    _, labels = faces.arrays(count, seed)
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), "GZIP") as writer:
        for index, picture in enumerate(faces.encoded(count, seed)):
            example = tf.train.Example()
            feature = example.features.feature
            feature[features.IMAGE].bytes_list.value.append(picture)
            feature[features.FILENAME].bytes_list.value.append(f"{index}.png".encode())
            for name in (features.AGE, features.GENDER):
                feature[name].int64_list.value.append(int(labels[name][index]))
            feature[features.RACE].int64_list.value.append(0)
            writer.write(example.SerializeToString())


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """A run whose candidate `multitask` is a real model, and a published version of it."""
    past = Past(tmp_path_factory.mktemp("work"))
    past.ingest("first", "/nowhere/faces")
    past.train("first", "multitask_cnn")
    past.publish("first", {"multitask": "Trainer_multitask_cnn"})
    run = candidates.run("multitask_cnn", mirror=True, size=faces.SIZE)
    runs.write(past.folder("Trainer_multitask_cnn", "model_run"), run)
    graph = transform_graph.write(past.workdir / "graph", faces.SIZE)
    export_servable(
        str(past.folder("Trainer_multitask_cnn", "model") / "Format-Serving"),
        runs.predictor(run),
        tft.TFTransformOutput(str(graph)),
        faces.SIZE,
        "decades",
        run.calibration.model_dump_json(),
    )
    for seed, split in enumerate(("train", "test")):
        write_raw(past.folder("FaceExampleGen", "examples") / f"Split-{split}", COUNT, seed)
    return past


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = {"servable_ms": 2.0, "export_ms": 1.0, "calls": 1}
    monkeypatch.setattr(speed, "measure", lambda *_: timed)


def test_a_candidate_becomes_a_file_with_what_is_known_of_it(
    past: Past, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # The only one that is timed in a process of its own.
    wanted = Wanted("tflite", tmp_path, candidate="multitask", quantize="float16")
    assert run_export(past.workdir, None, wanted) == 0
    path = tmp_path / "agegender-multitask-float16.tflite"
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        path.with_suffix(end).name for end in (".json", ".md", ".tflite")
    ]
    content = json.loads(path.with_suffix(".json").read_text())
    servable = past.folder("Trainer_multitask_cnn", "model") / "Format-Serving"
    assert content["model"] == {
        "candidate": "multitask",
        "version": None,
        "run": "first",
        "content_digest": versions.content_digest(servable),
        "data_fingerprint": "of /nowhere/faces",
    }
    assert content["input"]["shape"] == [1, faces.SIZE, faces.SIZE, 3]
    assert content["calibration"]["gender"]["temperature"] == 1.3
    assert len(content["age_groups"]) == 10
    check = content["check"]
    assert check["faces"] == COUNT
    assert check["difference"]["age_years"] < 0.1
    assert check["difference"]["other_gender"] == 0
    assert abs(check["change"]["age_mae"]) < 0.1
    assert check["bytes"]["export"] == path.stat().st_size
    assert check["speed"]["servable_ms"] > 0
    assert check["speed"]["export_ms"] > 0
    # As the JSON says, by a caller who has it alone.
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], faces.arrays(COUNT, 1)[0][:1]
    )
    interpreter.invoke()
    places = {one["name"]: one["index"] for one in content["outputs"]}
    detail = interpreter.get_output_details()[places["age"]]
    age = interpreter.get_tensor(detail["index"])
    served = tf.saved_model.load(str(servable)).signatures["serving_default"](
        image_bytes=tf.constant(faces.encoded(COUNT, 1)[:1])
    )
    np.testing.assert_allclose(age, served["age"], atol=1.001)
    said = capfd.readouterr().out
    assert f"Exported candidate multitask to {path}" in said
    assert "deprecated" not in said
    for cell in (f"{check['export']['age_mae']:.3f}", "SavedModel", "this file"):
        assert cell in said
        assert cell in path.with_suffix(".md").read_text()


@pytest.mark.usefixtures("quick")
def test_the_published_version_becomes_a_keras_file_where_it_is_said_to(
    past: Past, tmp_path: Path
) -> None:
    # The version that was published by hand is no model: of it only the way to one is looked at.
    found = exportable.of_version(past.store, past.model_dir, None)
    assert (found.version, found.candidate, found.run) == (1, "multitask", "first")
    assert found.model_run == past.folder("Trainer_multitask_cnn", "model_run")
    path = tmp_path / "deep" / "mine.keras"
    assert run_export(past.workdir, None, Wanted("keras", path, check=False)) == 0
    content = json.loads(path.with_suffix(".json").read_text())
    assert content["model"]["version"] == 1
    assert content["check"] is None
    assert "Not checked" in path.with_suffix(".md").read_text()
    with pytest.raises(UserError, match=r"mine\.keras: exists; --force writes over it"):
        run_export(past.workdir, None, Wanted("keras", path, check=False))
    path.with_suffix(".md").write_text("old")
    run_export(past.workdir, None, Wanted("keras", path, check=False, force=True))
    assert "Not checked" in path.with_suffix(".md").read_text()


@pytest.mark.usefixtures("quick")
def test_what_fails_leaves_nothing(
    past: Past, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(export, "_check", fail)
    with pytest.raises(OSError, match="no space left"):
        run_export(past.workdir, None, Wanted("keras", tmp_path, candidate="multitask"))
    assert list(tmp_path.iterdir()) == []


def gone(split: str) -> Callable[[Past, pytest.MonkeyPatch], None]:
    def take_away(_: Past, monkeypatch: pytest.MonkeyPatch) -> None:
        real = exportable.Exportable.files
        monkeypatch.setattr(
            exportable.Exportable,
            "files",
            lambda self, name: [] if name == split else real(self, name),
        )

    return take_away


@pytest.mark.parametrize(
    ("arguments", "expected", "code", "before"),
    [
        (["tflite", "--version", "7"], "version 7: not in", 1, None),
        (["tflite", "--candidate", "x"], "in the last run: it had multitask", 1, None),
        (["keras", "--version", "1", "--candidate", "multitask"], "do not go together", 2, None),
        (["keras", "x.h5"], "x.h5: name a file that ends in .keras, or a folder", 2, None),
        (["tflite"], "no faces of split test to check the export on; --no-check", 1, gone("test")),
        (["tflite", "--quantize", "int8"], "no faces of split train", 1, gone("train")),
        (["tflite", "--workdir", "."], "nothing is on record here", 1, None),
        (["tflite", "--serving-dir", "none"], "no version is published; --candidate NAME", 1, None),
    ],
)  # fmt: skip
def test_mistakes_end_in_one_line(
    arguments: list[str],
    expected: str,
    code: int,
    before: Callable[[Past, pytest.MonkeyPatch], None] | None,
    past: Past,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if before:
        before(past, monkeypatch)
    where = [] if "--workdir" in arguments else ["--workdir", str(past.workdir)]
    result = CliRunner().invoke(app, ["export", *arguments, *where])
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == code
    assert expected in str(result.exception)
    assert len(str(result.exception).splitlines()) == 1
