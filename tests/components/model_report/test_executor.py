"""The whole node on a real, untrained model: asked, timed, looked into."""

import gzip
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.artifacts import ModelFindings
from components.model_report import answers, executor, speed
from schema import features
from tests import faces
from trainer import families, runs
from trainer.calibration import Calibration
from trainer.hyperparameters import Architecture, Hyperparameters

FACES = 20


class Servable(tf.Module):
    """Two signatures of the contract around what reads the age off the brightness."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, features.INPUT_IMAGE_BYTES)])
    def look(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        decoded = tf.map_fn(
            lambda one: tf.reduce_mean(tf.cast(tf.io.decode_jpeg(one, 3), tf.float32), [0, 1]),
            image_bytes,
            fn_output_signature=tf.TensorSpec([3], tf.float32),
        )
        age = decoded[:, 2] / 2
        return {
            features.OUT_AGE: age,
            features.OUT_AGE_LOW: age - 1,
            features.OUT_AGE_HIGH: age + 1,
            features.OUT_FEMALE_PROBABILITY: tf.where(decoded[:, 0] > decoded[:, 1] + 9, 0.9, 0.1),
            features.OUT_GENDER: tf.fill(tf.shape(age), "female"),
            features.OUT_AGE_GROUP: tf.fill(tf.shape(age), "0-4"),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, features.INPUT_EXAMPLES)])
    def examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {features.IMAGE: tf.io.FixedLenFeature([], tf.string)}
        return self.look(tf.io.parse_example(examples, spec)[features.IMAGE])


def example(index: int, picture: bytes, age: float, female: float) -> bytes:
    def one(**value: list[object]) -> tf.train.Feature:
        kinds = {
            "ints": ("int64_list", tf.train.Int64List),
            "bytes": ("bytes_list", tf.train.BytesList),
        }
        ((kind, values),) = value.items()
        name, make = kinds[kind]
        return tf.train.Feature(**{name: make(value=values)})

    found = {
        features.IMAGE: one(bytes=[picture]),
        features.FILENAME: one(bytes=[b"%d.png" % index]),
        features.AGE: one(ints=[round(age)]),
        features.GENDER: one(ints=[int(female)]),
        features.RACE: one(ints=[0]),
    }
    return bytes(tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    served = Servable()
    signatures = {
        features.SIGNATURE_DEFAULT: served.look,
        features.SIGNATURE_EXAMPLES: served.examples,
    }
    tf.saved_model.save(served, str(folder / "model" / "Format-Serving"), signatures=signatures)
    _, labels = faces.arrays(FACES, 0)
    split = folder / "examples" / "Split-test"
    split.mkdir(parents=True)
    pictures = faces.encoded(FACES, 0)
    for shard in range(2):
        with tf.io.TFRecordWriter(str(split / f"data-{shard}.gz"), "GZIP") as writer:
            for index in range(shard, FACES, 2):
                age, female = (labels[name][index] for name in (features.AGE, features.GENDER))
                writer.write(example(index, pictures[index], age, female))
    keras.utils.set_random_seed(0)
    hyper = Hyperparameters(architecture=Architecture(widths=(4, 8)))
    model = families.build("multitask_cnn", faces.SIZE, hyper)
    figures = {"store_size": faces.SIZE, "frozen_epochs": 0}
    runs.write(folder / "run", runs.Run(figures, {"age_loss": [1.0]}, Calibration(), model))
    return folder


def artifact(kind: type, uri: Path) -> list[object]:
    made = kind()
    made.uri = str(uri)
    if kind is standard_artifacts.Examples:
        made.split_names = '["test"]'
    return [made]


def figures_of_test(_: str) -> dict[str, dict[str, float]]:
    figures = {
        "examples": float(FACES), "age_mae": 1.0, "age_mse": 2.0, "gender_accuracy": 1.0,
        "gender_auc": 1.0, "gender_ece": 0.0, "age_coverage": 0.9,
    }  # fmt: skip
    return dict.fromkeys(("overall", "age_group=0-4", "predicted_age_group=0-4"), figures)


def test_a_report_holds_what_was_asked_timed_and_drawn(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "read_metrics", figures_of_test)
    monkeypatch.setattr(speed, "SECONDS", 0.05)
    executor.Executor().Do(
        {
            "model": artifact(standard_artifacts.Model, world / "model"),
            "model_run": artifact(standard_artifacts.ModelRun, world / "run"),
            "examples": artifact(standard_artifacts.Examples, world / "examples"),
            "evaluation": artifact(standard_artifacts.ModelEvaluation, world / "evaluation"),
        },
        {"report": artifact(ModelFindings, tmp_path / "report")},
        {"name": "tiny", "settings": '{"robustness_faces": 6}', "code_fingerprint": ""},
    )
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (content["name"], content["faces"]) == ("tiny", FACES)
    for one in content["pictures"]:
        assert (tmp_path / "report" / one["file"]).read_bytes().startswith(b"\x89PNG")
    assert {"curves.png", "looks.png"} <= {one["file"] for one in content["pictures"]}

    timed = content["speed"]
    assert timed["cores"] == 1
    assert timed["calls"] >= 10
    assert timed["batches"] >= 10
    # A batch takes longer than one picture, and less than as many one by one.
    assert timed["latency_ms"] < 32_000 / timed["images_per_second"] < 32 * timed["latency_ms"]

    lines = gzip.decompress((tmp_path / "report" / answers.FILE).read_bytes()).splitlines()
    rows = [json.loads(line) for line in lines]
    names = [*(f"{index}.png" for index in (*range(0, FACES, 2), *range(1, FACES, 2)))]
    assert [row["filename"] for row in rows] == names
    for row in rows:
        assert row["answer"]["age"] == pytest.approx(row["age"], abs=1)
        assert (row["answer"]["female_probability"] > 0.5) == (row["gender"] == 1)
    found, darker = content["robustness"]["rows"][0], content["robustness"]["rows"][3]
    assert content["robustness"]["faces"] == 6
    assert found["gender_accuracy"] == 1
    assert darker["age_shift"] < -20  # whose age is its brightness


def test_pictures_are_found_by_their_place_in_the_answers(world: Path) -> None:
    files = sorted(str(path) for path in (world / "examples" / "Split-test").iterdir())
    pictures = faces.encoded(FACES, 0)
    found = answers.pictures_of(files, {1, FACES - 1})
    assert found == {1: pictures[2], FACES - 1: pictures[FACES - 1]}


def test_answers_that_are_no_numbers_are_written_as_such(tmp_path: Path) -> None:
    answers.write(
        tmp_path / "a.gz",
        answers.Answers(
            {features.AGE: np.array([3])}, {features.OUT_AGE: np.array([np.nan], np.float32)}
        ),
    )
    assert json.loads(gzip.decompress((tmp_path / "a.gz").read_bytes())) == {
        "age": 3,
        "answer": {"age": None},
    }


def test_a_model_that_cannot_be_timed_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(speed.SpeedError, match="SavedModel"),
        speed.stopwatch(str(tmp_path / "none"), []) as measure,
    ):
        measure()


def test_an_empty_split_is_refused(world: Path) -> None:
    model = tf.saved_model.load(str(world / "model" / "Format-Serving"))
    with pytest.raises(ValueError, match="no examples"):
        answers.ask(model, [])
