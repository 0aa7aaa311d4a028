from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import pictures
from components.face_example_gen import logic
from schema import features


def test_pictures_are_those_of_the_split_with_their_labels(tmp_path: Path) -> None:
    greys = {}
    (tmp_path / "faces").mkdir()
    for age in range(20, 60):
        picture = Image.new("RGB", (32, 32), (2 * age, 2 * age, 2 * age))
        picture.save(tmp_path / "faces" / f"{age}_{age % 2}_0_a.jpg", quality=100)
        split = logic.split_of(logic.pixel_sha256(np.asarray(picture)))
        greys.setdefault(split, set()).add(age)
    pictures.ingest(tmp_path / "faces", tmp_path / "out")

    for split, ages in greys.items():
        loaded = pictures.load(tmp_path / "out", split, 24)
        assert loaded.pixels.shape == (len(ages), 24, 24, 3)
        years = loaded.labels[features.AGE]
        assert set(years) == ages
        np.testing.assert_array_equal(loaded.labels[features.GENDER], years % 2)
        np.testing.assert_allclose(loaded.pixels[:, 12, 12, 0], 2 * years, atol=2)
        ((pixels, labels),) = loaded.examples().batch(len(ages)).as_numpy_iterator()
        np.testing.assert_array_equal(pixels, loaded.pixels)
        np.testing.assert_array_equal(labels[features.AGE], years)
