import io

import numpy as np
import pytest
from PIL import Image

from components.model_report import robustness
from components.model_report.answers import Answers
from schema import features

RANDOM = np.random.default_rng(0)
NOISE = Image.fromarray(RANDOM.integers(0, 256, (60, 40, 3), np.uint8)).resize((80, 120))


def encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), float)


def made(name: str, strength: float, index: int = 1, picture: Image.Image = NOISE) -> np.ndarray:
    (change,) = (one for one in robustness.CHANGES if one.name == name)
    return pixels(change.make(picture, strength, index))


def test_each_change_does_what_it_is_called() -> None:
    plain = np.asarray(NOISE, float)
    np.testing.assert_allclose(made("darker", 0.25), plain / 4, atol=1)
    # Blurring takes the detail and leaves the light.
    assert made("blurred", 0.04).std() < made("blurred", 0.01).std() < plain.std()
    assert made("blurred", 0.04).mean() == pytest.approx(plain.mean(), abs=2)
    losses = [np.abs(made("compressed", quality) - plain).mean() for quality in (30, 10, 5)]
    assert losses == sorted(losses)
    assert losses[0] > 1


def test_a_turned_picture_keeps_its_size_and_shows_no_empty_corners() -> None:
    square = NOISE.resize((80, 80))
    np.testing.assert_array_equal(made("rotated", 90, 1, square), np.rot90(np.asarray(square)))
    np.testing.assert_array_equal(made("rotated", 90, 0, square), np.rot90(np.asarray(square), -1))
    white = Image.new("RGB", (80, 120), "white")
    for degrees in (10, 30, 90):
        turned = made("rotated", degrees, 1, white)
        assert turned.shape == (120, 80, 3)
        assert turned.min() == 255


def test_the_table_says_what_the_changes_did(found: Answers) -> None:
    asked = []

    def ask(pictures: list[bytes]) -> dict[str, np.ndarray]:
        # Takes every face for five years older when it is dark, and everyone for a woman.
        first = len(asked) // 12 * robustness.DECODED
        part = found.part(np.arange(first, first + len(pictures)))
        asked.append(len(pictures))
        dark = pixels(pictures[0]).mean() < 40
        shift = 5 * dark
        women = np.ones(len(pictures)) if dark else part.female_probability
        return {
            features.OUT_AGE: part.age + shift,
            features.OUT_AGE_LOW: part.age - 6 + shift,
            features.OUT_AGE_HIGH: part.age + 6 + shift,
            features.OUT_FEMALE_PROBABILITY: women,
        }

    grey = encoded(Image.new("RGB", (20, 20), (120, 120, 120)))
    rows = robustness.table(found, [grey] * len(found), ask)
    changes = [change.name for change in robustness.CHANGES for _ in change.strengths]
    assert [row["change"] for row in rows] == [robustness.AS_FOUND, *changes]
    assert (rows[0]["change"], rows[0]["age_shift"]) == (robustness.AS_FOUND, 0)
    assert rows[0]["age_mae"] == pytest.approx(np.abs(found.error).mean())
    by_strength = {(row["change"], row["strength"]): row for row in rows}
    dark = by_strength["darker", "25% of the light"]
    assert dark["age_shift"] == pytest.approx(5)
    assert dark["age_mae"] == pytest.approx(np.abs(found.error + 5).mean())
    assert dark["gender_accuracy"] == 0.5
    assert dark["age_coverage"] == pytest.approx(np.mean(np.abs(found.error + 5) <= 6))
    figures = ("age_mae", "age_shift", "gender_accuracy", "age_coverage")
    turned = by_strength["rotated", "90°"]
    assert [turned[name] for name in figures] == [rows[0][name] for name in figures]


def test_pictures_are_spoilt_some_at_a_time(
    found: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robustness, "DECODED", 16)
    sizes = []

    def ask(pictures: list[bytes]) -> dict[str, np.ndarray]:
        sizes.append(len(pictures))
        part = found.part(np.arange(sum(sizes[::12][:-1]), sum(sizes[::12])))
        return part.outputs

    grey = encoded(Image.new("RGB", (20, 20)))
    rows = robustness.table(found, [grey] * len(found), ask)
    assert sizes == [16] * 24 + [8] * 12
    assert {row["age_shift"] for row in rows} == {0}


def test_the_faces_tried_are_the_same_each_time() -> None:
    first = robustness.subset(1000, 50, 0)
    np.testing.assert_array_equal(first, robustness.subset(1000, 50, 0))
    assert len(set(first)) == 50
    assert not np.array_equal(first, robustness.subset(1000, 50, 1))
    np.testing.assert_array_equal(robustness.subset(7, 50, 0), np.arange(7))
