import pytest

from components.specialist_pair.logic import join_figures, join_histories

GENDER = {
    "model": "gender_cnn",
    "store_size": 64,
    "mirror": False,
    "val": {"gender_accuracy": 0.95},
    "val_score": 0.5,
    "parameters": 100,
    "seconds": 10.0,
}
AGE = GENDER | {"model": "age_cnn", "val": {"age_mae": 5.0}, "val_score": 1.0, "seconds": 20.5}


def test_a_pair_has_the_figures_of_both() -> None:
    joined = join_figures(GENDER, AGE)
    assert joined["val"] == {"age_mae": 5.0, "gender_accuracy": 0.95}
    assert joined["val_score"] == pytest.approx(1.5)
    assert (joined["parameters"], joined["seconds"]) == (200, 30.5)
    assert joined["parts"] == {"gender": GENDER, "age": AGE}


def test_parts_that_see_pictures_of_two_sizes_are_no_pair() -> None:
    with pytest.raises(ValueError, match="age_cnn at 32"):
        join_figures(GENDER, AGE | {"store_size": 32})


def test_curves_of_both_are_told_apart() -> None:
    joined = join_histories(
        {"loss": [1.0], "val_loss": [2.0], "val_score": [3.0], "gender_accuracy": [0.5]},
        {
            "loss": [4.0, 5.0],
            "val_loss": [6.0, 7.0],
            "val_score": [8.0, 9.0],
            "age_mae": [1.0, 2.0],
        },
    )
    assert joined == {
        "gender_loss": [1.0],
        "val_gender_loss": [2.0],
        "val_gender_score": [3.0],
        "gender_accuracy": [0.5],
        "age_loss": [4.0, 5.0],
        "val_age_loss": [6.0, 7.0],
        "val_age_score": [8.0, 9.0],
        "age_mae": [1.0, 2.0],
    }
