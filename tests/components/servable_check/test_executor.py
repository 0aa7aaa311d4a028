"""The InfraBlessing: what Pusher reads from it, and what the folder to be published holds."""

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.utils import path_utils

from components.servable_check import executor, logic
from serving.versions import content_digest
from tests.components.servable_check import servables


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, list[Artifact]]:
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    servables.export(tmp_path / "model" / "Format-Serving")
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "examples")
    examples.splits = ["train", "test"]
    servables.write_examples(tmp_path / "examples" / "Split-test" / "data-00000-of-00002.gz", 3)
    servables.write_examples(tmp_path / "examples" / "Split-test" / "data-00001-of-00002.gz", 3)
    model_blessing = standard_artifacts.ModelBlessing()
    model_blessing.set_int_custom_property("blessed", 1)
    return {"model": [model], "examples": [examples], "model_blessing": [model_blessing]}


def do(inputs: dict[str, list[Artifact]], uri: Path) -> Artifact:
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(uri)
    uri.mkdir()
    executor.Executor().Do(
        inputs, {"blessing": [blessing]}, {"max_seconds": 300, "code_fingerprint": ""}
    )
    return blessing


def test_a_sound_model_is_blessed_with_warm_up_and_without_photographs(
    inputs: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    blessing = do(inputs, tmp_path / "blessing")
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_int_custom_property("has_model") == 1
    assert (tmp_path / "blessing" / "INFRA_BLESSED").exists()

    copy = Path(path_utils.stamped_model_path(blessing.uri))
    model = artifact_utils.get_single_instance(inputs["model"])
    assert content_digest(copy) == content_digest(Path(model.uri) / "Format-Serving")

    records = tf.data.TFRecordDataset(path_utils.warmup_file_path(str(copy)))
    (log,) = (PredictionLog.FromString(record) for record in records.as_numpy_iterator())
    request = log.predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == (
        "agegender",
        "serving_default",
    )
    pictures = tf.make_ndarray(request.inputs["image_bytes"])
    assert list(pictures) == [logic.synthetic_picture()]
    served = tf.saved_model.load(str(copy)).signatures["serving_default"]
    assert served(image_bytes=tf.constant(pictures))["age"].shape == [1]

    faces = [servables.picture(20 + 200 * i // 3) for i in range(3)]
    for file in (file for file in copy.rglob("*") if file.is_file()):
        assert not any(face in file.read_bytes() for face in faces)


def test_a_faulty_model_is_not_blessed_and_not_passed_on(
    inputs: dict[str, list[Artifact]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logic, "PROBE", tmp_path / "probe.py")
    (tmp_path / "probe.py").write_text("raise SystemExit('out of luck')")
    blessing = do(inputs, tmp_path / "blessing")
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_int_custom_property("has_model") == 0
    assert "out of luck" in blessing.get_string_custom_property("reason")
    assert sorted(path.name for path in (tmp_path / "blessing").iterdir()) == [
        "INFRA_NOT_BLESSED",
        "probe.log",
    ]


def test_an_unblessed_model_is_not_even_asked(
    inputs: dict[str, list[Artifact]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "check", lambda *_: pytest.fail("it was asked"))
    inputs["model_blessing"][0].set_int_custom_property("blessed", 0)
    blessing = do(inputs, tmp_path / "blessing")
    assert blessing.get_int_custom_property("blessed") == 0
    assert "not blessed" in blessing.get_string_custom_property("reason")
