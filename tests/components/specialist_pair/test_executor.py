import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.specialist_pair.executor import Executor
from schema import features
from tests import faces, transform_graph
from trainer import families, runs
from trainer.calibration import AgeCalibration, Calibration, GenderCalibration
from trainer.hyperparameters import Architecture, Hyperparameters

AGE = AgeCalibration(
    method="conformalised quantiles",
    low_share=0.2,
    bounds=(50.0,),
    corrections=(1.5, -2.5),
    faces=(9, 9),
)
GENDER = GenderCalibration(
    temperature=2.0, faces=9, log_loss_before=1, log_loss_after=1, ece_before=1, ece_after=1
)


def write_run(folder: Path, model: str, mirror: bool, found: Calibration) -> runs.Run:
    keras.utils.set_random_seed(len(model))
    hyper = Hyperparameters(architecture=Architecture(widths=(4, 8)))
    answer = model.partition("_")[0]
    figures = {
        "model": model,
        "store_size": faces.SIZE,
        "mirror": mirror,
        "val": {"age": {"age_mae": 9.0}, "gender": {"gender_accuracy": 0.8}}[answer],
        "parameters": 1,
        "seconds": 1.0,
    }
    built = families.build(model, faces.SIZE, hyper)
    run = runs.Run(figures, {"loss": [1.0], "val_loss": [1.0], "val_score": [1.0]}, found, built)
    runs.write(folder, run)
    return run


def artifact(kind: type, uri: Path) -> list[object]:
    made = kind()
    made.uri = str(uri)
    return [made]


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, runs.Run, runs.Run]:
    folder = tmp_path_factory.mktemp("pair")
    transform_graph.write(folder / "graph", faces.SIZE)
    gender = write_run(folder / "gender", "gender_cnn", True, Calibration(gender=GENDER))
    age = write_run(folder / "age", "age_cnn", False, Calibration(age=AGE))
    Executor().Do(
        {
            "gender_model_run": artifact(standard_artifacts.ModelRun, folder / "gender"),
            "age_model_run": artifact(standard_artifacts.ModelRun, folder / "age"),
            "transform_graph": artifact(standard_artifacts.TransformGraph, folder / "graph"),
        },
        {
            "model": artifact(standard_artifacts.Model, folder / "model"),
            "model_run": artifact(standard_artifacts.ModelRun, folder / "run"),
        },
        {"age_groups": "five", "code_fingerprint": ""},
    )
    return folder, gender, age


def test_the_pair_answers_as_its_parts_do(joined: tuple[Path, runs.Run, runs.Run]) -> None:
    folder, gender, age = joined
    served = tf.saved_model.load(str(folder / "model" / "Format-Serving"))
    assert set(served.signatures) == {
        features.SIGNATURE_DEFAULT,
        features.SIGNATURE_EXAMPLES,
        features.SIGNATURE_TRANSFORM,
    }
    out = served.signatures["serving_default"](image_bytes=tf.constant(faces.encoded(6, 0)))
    assert set(out) == set(features.OUTPUTS)
    pixels = faces.arrays(6, 0)[0]
    women, years = runs.predictor(gender)(pixels), runs.predictor(age)(pixels)
    np.testing.assert_allclose(out["female_probability"], women["gender"], rtol=1e-4)
    for name in ("age", "age_low", "age_high"):
        np.testing.assert_allclose(out[name], years[name], atol=1e-2)
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    features.IMAGE: tf.train.Feature(bytes_list=tf.train.BytesList(value=[one]))
                }
            )
        ).SerializeToString()
        for one in faces.encoded(6, 0)
    ]
    again = served.signatures["serving_examples"](examples=tf.constant(examples))
    np.testing.assert_allclose(again["age"], out["age"], rtol=1e-5)


def test_what_is_known_of_the_parts_is_known_of_the_pair(
    joined: tuple[Path, runs.Run, runs.Run],
) -> None:
    folder, gender, age = joined
    served = tf.saved_model.load(str(folder / "model" / "Format-Serving"))
    both = Calibration(age=AGE, gender=GENDER)
    assert Calibration.model_validate(json.loads(served.calibration().numpy())) == both
    run = runs.read(folder / "run")
    assert run.calibration == both
    assert run.figures["val"] == {"age_mae": 9.0, "gender_accuracy": 0.8}
    assert set(run.history) >= {"gender_loss", "age_loss"}
    pixels = faces.arrays(6, 0)[0].astype(np.float32)
    logits = run.model(pixels)
    np.testing.assert_array_equal(logits["age"], age.model(pixels)["age"])
    np.testing.assert_array_equal(logits["gender"], gender.model(pixels)["gender"])
