import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.ensemble.executor import Executor, member_key
from components.ensemble.logic import join_figures
from schema import features
from tests import faces, transform_graph
from tests.components.specialist_pair.test_executor import artifact
from trainer import families, runs
from trainer.calibration import Calibration
from trainer.hyperparameters import Architecture, Hyperparameters

NAMES = ("multitask_cnn", "transfer_vgg16")


def write_member(folder: Path, name: str, seed: int, head: str) -> runs.Run:
    """A small untrained model that answers both, under the name of a member."""
    keras.utils.set_random_seed(seed)
    shape = Architecture(widths=(4, 8), age_head=head)  # type: ignore[arg-type]
    built = families.build("multitask_cnn", faces.SIZE, Hyperparameters(architecture=shape))
    member = keras.models.clone_model(built)
    member.set_weights([weight + 0.1 * seed for weight in built.get_weights()])
    figures = {"model": name, "store_size": faces.SIZE, "mirror": seed == 1, "parameters": 10}
    run = runs.Run(
        {**figures, "seconds": 2.0},
        {"loss": [1.0] * seed},
        Calibration(),
        keras.Model(member.input, member.output, name=name),
    )
    runs.write(folder, run)
    return run


@pytest.mark.parametrize("head", ["distribution", "regression"])
def test_the_ensemble_answers_with_the_mean_of_its_members(head: str, tmp_path: Path) -> None:
    transform_graph.write(tmp_path / "graph", faces.SIZE)
    members = {
        name: write_member(tmp_path / name, name, seed, head)
        for seed, name in enumerate(NAMES, start=1)
    }
    faces.write_transformed(tmp_path / "examples", {"val": 40, "calib": 40})
    examples = artifact(standard_artifacts.Examples, tmp_path / "examples")
    examples[0].split_names = json.dumps(["val", "calib"])  # type: ignore[attr-defined]
    Executor().Do(
        {
            **{
                member_key(name): artifact(standard_artifacts.ModelRun, tmp_path / name)
                for name in NAMES
            },
            "examples": examples,
            "transform_graph": artifact(standard_artifacts.TransformGraph, tmp_path / "graph"),
        },
        {
            "model": artifact(standard_artifacts.Model, tmp_path / "model"),
            "model_run": artifact(standard_artifacts.ModelRun, tmp_path / "run"),
        },
        {"members": json.dumps(NAMES), "age_groups": "five", "code_fingerprint": ""},
    )
    run = runs.read(tmp_path / "run")
    assert (run.figures["parameters"], len(run.history["loss"])) == (20, 2)
    assert run.figures["seconds"] >= 4
    assert not run.figures["mirror"]
    assert run.calibration.age
    assert run.calibration.gender
    pixels = faces.arrays(40, 0)[0].astype(np.float32)
    ours = run.model(pixels)
    answers = [member.model(pixels) for member in members.values()]
    gender = np.mean([one["gender"] for one in answers], axis=0)
    np.testing.assert_allclose(ours["gender"], gender, rtol=1e-4)
    squash = tf.nn.softmax if head == "distribution" else tf.sigmoid
    age = np.mean([squash(one["age"]) for one in answers], axis=0)
    np.testing.assert_allclose(squash(ours["age"]), age, atol=1e-5)
    served = tf.saved_model.load(str(tmp_path / "model" / "Format-Serving"))
    out = served.signatures["serving_default"](image_bytes=tf.constant(faces.encoded(6, 0)))
    assert set(out) == set(features.OUTPUTS)
    direct = runs.predictor(run)(faces.arrays(6, 0)[0])
    np.testing.assert_allclose(out["female_probability"], direct["gender"], rtol=1e-4)
    np.testing.assert_allclose(out["age_low"], direct["age_low"], atol=1e-2)


def test_members_that_cannot_be_averaged_are_refused(tmp_path: Path) -> None:
    one = {"store_size": 16, "mirror": False, "parameters": 1, "seconds": 1}
    with pytest.raises(ValueError, match="a at 16, b at 32 pixels"):
        join_figures({"a": one, "b": one | {"store_size": 32}})
    models = {
        head: write_member(tmp_path / head, head, 1, head).model
        for head in ("distribution", "regression")
    }
    with pytest.raises(ValueError, match="some answer a distribution"):
        runs.averaged(models)
