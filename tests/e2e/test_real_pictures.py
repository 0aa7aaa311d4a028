"""Real photographs go all the way."""

from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from schema import features
from serving import versions
from tests.e2e.running import run


@pytest.mark.real_data
def test_real_pictures_go_all_the_way(utkface: Path, tmp_path: Path) -> None:
    done = run(utkface, tmp_path / "work", data__limit="300")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Published version 1 at" in done.stdout
    picture = Image.new("RGB", (200, 200), (128, 100, 90))
    picture.save(tmp_path / "grey.png")
    served = versions.latest(tmp_path / "work" / "serving" / features.MODEL_NAME)
    model = tf.saved_model.load(str(served))
    answer = model.signatures["serving_default"](
        image_bytes=tf.constant([(tmp_path / "grey.png").read_bytes()])
    )
    assert 0 <= float(answer[features.OUT_AGE][0]) <= 116
