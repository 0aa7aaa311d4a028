"""The Trainer's function from files to files, as TFX calls it."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from pipeline.errors import UserError
from tests import faces
from trainer import runs, training

TOLD = {
    "architecture": {"widths": [8, 16], "dropout": 0.0},
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.02,
}


def arguments(folder: Path, transform: Path, model: str, **told: object) -> SimpleNamespace:
    files = faces.write_transformed(folder / "data", {"train": 64, "val": 32, "calib": 40})
    return SimpleNamespace(
        train_files=files[:1],
        eval_files=files[1:],
        transform_output=str(transform),
        serving_model_dir=str(folder / "model" / "Format-Serving"),
        model_run_dir=str(folder / "run"),
        hyperparameters=None,
        custom_config={
            "model": model,
            "store_size": faces.SIZE,
            "age_groups": "five",
            "hyperparameters": TOLD | told,
        },
    )


@pytest.mark.parametrize(
    ("model", "answers", "outputs"),
    [
        ("gender_cnn", ["gender"], {"female_probability", "gender"}),
        (
            "multitask_cnn",
            ["age", "gender"],
            {"age", "age_low", "age_high", "age_group", "female_probability", "gender"},
        ),
    ],
)
def test_what_it_leaves_is_complete_and_of_one_piece(
    model: str, answers: list[str], outputs: set[str], transform_16: Path, tmp_path: Path
) -> None:
    told = arguments(tmp_path, transform_16, model, mirror=True)
    training.run_fn(told)  # type: ignore[arg-type]

    run = runs.read(Path(told.model_run_dir))
    assert run.figures["answers"] == answers
    assert {name.split("_")[0] for name in run.figures["val"]} == set(answers)
    assert run.figures["val_score"] == pytest.approx(min(run.history["val_score"]), rel=0.2)
    assert (run.calibration.age is not None) == ("age" in answers)
    assert run.calibration.gender is not None
    assert run.calibration.gender.faces == 40
    if run.calibration.age:
        assert 0.7 <= run.figures["val"]["age_coverage"] <= 1

    served = tf.saved_model.load(told.serving_model_dir)
    assert json.loads(served.calibration().numpy()) == json.loads(run.calibration.model_dump_json())
    out = served.signatures["serving_default"](image_bytes=tf.constant(faces.encoded(8, 9)))
    assert set(out) == outputs
    again = runs.predictor(run)(faces.arrays(8, 9)[0])
    np.testing.assert_allclose(out["female_probability"], again["gender"], rtol=1e-4)
    for name in outputs & {"age", "age_low", "age_high"}:
        np.testing.assert_allclose(out[name], again[name], atol=1e-2)


def test_weights_that_are_missing_stop_it_before_it_reads_anything(
    transform_16: Path, tmp_path: Path
) -> None:
    told = arguments(tmp_path, transform_16, "transfer_vgg16", transfer={"weights": "none.h5"})
    told.train_files = told.eval_files = ["nowhere"]
    with pytest.raises(UserError, match=r"there is no file none.h5"):
        training.run_fn(told)  # type: ignore[arg-type]
