"""A loaded version answers as the SavedModel does, and what it is asked is looked at first."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from schema import features
from serving.server import pictures
from serving.server.errors import ServingError
from serving.server.model import Model
from tests.components.servable_check.servables import picture
from tests.serving.drills import write_model

WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")


@pytest.fixture(scope="module")
def model(servable: Path) -> Model:
    return Model(servable, 1)


def example(**images: list[bytes]) -> bytes:
    found = tf.train.Example()
    for name, values in images.items():
        found.features.feature[name].bytes_list.value.extend(values)
    return found.SerializeToString()


def encoded(form: str, width: int, height: int, frames: int = 1) -> bytes:
    file = io.BytesIO()
    made = [Image.new("L", (width, height), 10 * i) for i in range(frames)]
    made[0].save(
        file, form, **({"save_all": True, "append_images": made[1:]} if frames > 1 else {})
    )
    return file.getvalue()


def test_it_answers_as_the_saved_model_does(servable: Path, model: Model) -> None:
    rows = [picture(grey) for grey in (0, 80, 255)]
    found = model.run(features.SIGNATURE_DEFAULT, rows)
    loaded = tf.saved_model.load(str(servable)).signatures[features.SIGNATURE_DEFAULT]
    expected = loaded(image_bytes=tf.constant(rows))
    assert set(found) == set(expected) == set(features.OUTPUTS)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values.numpy())


def test_tensorflows_refusals_are_one_plain_line(model: Model) -> None:
    whole = picture(9)
    with pytest.raises(ServingError) as refused:
        model.run(features.SIGNATURE_DEFAULT, [whole, whole[: len(whole) // 2]])
    assert refused.value.code.value[0] == 3
    assert "\n" not in refused.value.message
    assert "jpeg" in refused.value.message.lower()


def test_a_model_whose_warm_up_does_not_fit_is_refused(servable: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(servable, tmp_path / "model")
    model = Model(folder, 1)
    model.warm_up(folder, 4)
    request = predict_pb2.PredictRequest(inputs={"other": tf.make_tensor_proto([b"x"])})
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request)
    with tf.io.TFRecordWriter(str(folder / WARM_UP)) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises(ServingError, match="does not fit signature 'serving_default'"):
        model.warm_up(folder, 4)
    (folder / WARM_UP).write_bytes(b"no record" * 20)
    with pytest.raises(ServingError):
        model.warm_up(folder, 4)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="parse file"):
        Model(write_model(tmp_path / "model", 7), 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF"])
def test_pictures_are_measured_by_their_headers(form: str) -> None:
    pictures.check("image_bytes", [encoded(form, 30, 40)], 1200)
    with pytest.raises(ServingError, match="Input 1: 30x41 is more than 1200 pixels"):
        pictures.check("image_bytes", [encoded(form, 30, 40), encoded(form, 30, 41)], 1200)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Unknown image file format"),
        (b"text", "Unknown image file format"),
        (encoded("BMP", 3, 3), "Unknown image file format"),
        (encoded("GIF", 3, 3, frames=2), "it is animated"),
        (encoded("PNG", 3, 3)[:20], "Input 0: "),
    ],
)
def test_what_is_none_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ServingError, match=said) as refused:
        pictures.check("image_bytes", [content], 100)
    assert refused.value.code.value[0] == 3


def test_pictures_within_examples_are_looked_at_too() -> None:
    small, large = encoded("PNG", 3, 3), encoded("PNG", 30, 30)
    pictures.check("examples", [example(image=[small])], 100)
    for row, said in [
        (example(image=[small, large]), "30x30 is more than 100 pixels"),
        (example(other=[small]), "Feature: image is required"),
        (b"\xff", "Could not parse example input"),
    ]:
        with pytest.raises(ServingError, match=said):
            pictures.check("examples", [row], 100)
