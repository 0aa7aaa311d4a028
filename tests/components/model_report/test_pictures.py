import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.model_report.answers import Answers
from components.model_report.pictures import album, gender, sheets, slices
from components.selector.slices import OVERALL
from schema import features
from trainer.metrics import gender_figures

# Names of slices that no one could have put into this order by chance.
NAMES = (
    "race=1", "gender=1", "gender=0", "race=0", "age_group=5-12", "age_group=13-19",
    "brightness_level=dark", "sharpness_level=sharp", "race=1,gender=0",
    "predicted_age_group=20-29", "predicted_age_group=5-12",
)  # fmt: skip


def metrics() -> dict[str, dict[str, float]]:
    figures = {
        "examples": 20.0, "age_mae": 5.0, "age_mse": 40.0, "gender_accuracy": 0.9,
        "gender_auc": 0.95, "gender_ece": 0.02, "age_coverage": 0.85,
    }  # fmt: skip
    return dict.fromkeys((OVERALL, *NAMES), figures)


def material(found: Answers) -> album.Material:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), (90, 120, 150)).save(buffer, "JPEG")
    picture = buffer.getvalue()
    faces = sheets.some_faces(found, 3)
    curves = {"age_loss": [3.0, 2.0], "val_age_loss": [3.0, 2.5], "gender_loss": [0.5]}
    heat = np.linspace(0, 1, 3 * 16, dtype=np.float32).reshape(3, 4, 4)
    return album.Material(
        found,
        metrics(),
        dict.fromkeys(range(len(found)), picture),
        [("as found", picture), ("darker: a bit", picture)],
        curves,
        frozen_epochs=1,
        looks=album.Looks(
            faces,
            np.zeros((3, 16, 16, 3), np.uint8),
            {features.AGE: heat, features.GENDER: heat},
        ),
    )


def test_the_same_material_gives_the_same_files(found: Answers, tmp_path: Path) -> None:
    drawn = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        drawn.append(album.draw(tmp_path / name, material(found)))
    assert drawn[0] == drawn[1]
    assert len({one["file"] for one in drawn[0]}) == 12
    for one in drawn[0]:
        first, second = (tmp_path / name / one["file"] for name in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
        assert len(set(Image.open(first).convert("L").get_flattened_data())) > 10


def test_a_model_whose_training_is_not_known_has_no_curves_and_is_not_looked_into(
    found: Answers, tmp_path: Path
) -> None:
    drawn = album.draw(tmp_path, replace(material(found), history=None, looks=None))
    assert {"curves.png", "looks.png"} & {one["file"] for one in drawn} == set()
    assert len(drawn) == 10


def test_answers_that_are_all_alike_can_be_drawn(found: Answers, tmp_path: Path) -> None:
    # The constant predictor's, on a split of one gender.
    labels = found.labels | {features.GENDER: np.zeros(len(found), int)}
    same = {
        features.OUT_AGE: 30.0, features.OUT_AGE_LOW: 0.0, features.OUT_AGE_HIGH: 80.0,
        features.OUT_FEMALE_PROBABILITY: 0.3,
    }  # fmt: skip
    outputs = {name: np.full(len(found), value) for name, value in same.items()}
    alike = replace(material(found), answers=Answers(labels, outputs), history=None, looks=None)
    assert len(album.draw(tmp_path, alike)) == 10


def test_the_roc_curve_has_the_area_that_training_measures() -> None:
    random = np.random.default_rng(0)
    female = random.random(200) < 0.4
    # Rounded, so that many are equal.
    probability = np.round(np.clip(0.3 * female + random.random(200) * 0.7, 0.1, 0.9), 1)
    wrong, right = gender.roc_curve(female, probability)
    assert (wrong[0], right[0], wrong[-1], right[-1]) == (0, 0, 1, 1)
    logits = np.log(probability / (1 - probability))
    auc = gender_figures(female.astype(float), logits)["gender_auc"]
    assert np.trapezoid(right, wrong) == pytest.approx(auc)


def test_the_worst_mistakes_come_first(found: Answers) -> None:
    ages = sheets.worst_ages(found)
    assert len(ages) == sheets.MISTAKES
    assert ages[0] == np.abs(found.error).argmax()
    errors = np.abs(found.error[ages])
    assert (np.diff(errors) <= 0).all()
    wrong = sheets.worst_genders(found)
    assert set(wrong) == {0, 7, 14, 21, 28, 35}
    sure = np.abs(found.female_probability[wrong] - 0.5)
    assert (np.diff(sure) <= 0).all()


def test_the_faces_looked_into_are_of_all_ages_and_both_genders(found: Answers) -> None:
    chosen = sheets.some_faces(found, 6)
    assert len(set(chosen)) == 6
    assert found.female[chosen].tolist() == [False, True] * 3
    assert found.true_age[chosen][0] == 1
    assert (np.diff(found.true_age[chosen]) > 5).all()
    assert len(sheets.some_faces(found.part(np.arange(2)), 6)) == 2


def test_slices_stand_in_the_order_of_their_values() -> None:
    places = slices.rows(metrics())
    assert [name for name, _ in sorted(places.items(), key=lambda item: item[1])] == [
        "gender=0", "gender=1", "race=0", "race=1", "race=1,gender=0",
        "age_group=5-12", "age_group=13-19", "brightness_level=dark", "sharpness_level=sharp",
    ]  # fmt: skip
