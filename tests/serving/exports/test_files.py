"""One sweep over every kind of candidate: each export answers as the candidate's servable."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from schema import age_groups, features
from serving.exports import files, tflite
from serving.exports.answering import OUTPUTS, answering
from tests.conftest import NO_NETWORK

from . import candidates
from .candidates import KINDS, SLOW

COUNT = 24
SWEEP = [pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind for kind in KINDS]
OURS = ("components", "pipeline", "schema", "serving", "tests", "trainer")

# Loads a Keras file where nothing of ours can be imported, and says what it answers.
ASK = f"""
import json, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OURS!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
answers = model.predict(np.load(sys.argv[2]), verbose=0)
print(json.dumps({{name: values.tolist() for name, values in answers.items()}}))
"""


@pytest.mark.parametrize("kind", SWEEP)
def test_it_answers_as_its_servable(kind: str, tmp_path: Path) -> None:
    run, predict = KINDS[kind]()
    pixels = candidates.pictures(COUNT)
    wanted = {name: np.asarray(values) for name, values in predict(pixels).items()}
    assert np.ptp(wanted["age"]) > 3
    assert np.ptp(wanted["gender"]) > 0.01
    model = answering(run, "five")
    for name in ("one.keras", "one.tflite"):
        files.write(tmp_path / name, model, "float32")
        found = files.asking(str(tmp_path / name), threads=1)(pixels)
        assert set(found) == set(OUTPUTS)
        # A median is a whole year: rounding moves it by one at times.
        assert np.abs(found["age"] - wanted["age"]).max() <= 1.001
        same = np.abs(found["age"] - wanted["age"]) < 0.01
        assert same.mean() > 0.9
        for end in ("age_low", "age_high"):
            np.testing.assert_allclose(found[end][same], wanted[end][same], atol=0.02)
        np.testing.assert_allclose(found["female_probability"], wanted["gender"], atol=1e-3)
        np.testing.assert_array_equal(found["age_group"][same], groups(wanted, "five")[same])


def groups(wanted: dict[str, np.ndarray], scheme: age_groups.Scheme) -> np.ndarray:
    """The indices of the groups that a servable would answer."""
    if "age_probabilities" in wanted:
        return (wanted["age_probabilities"] @ age_groups.membership(scheme)).argmax(axis=1)
    return np.searchsorted(age_groups.bounds(scheme), wanted["age"], side="right")


def test_a_keras_file_needs_nothing_of_this_project(tmp_path: Path) -> None:
    run = candidates.ensemble(mirror=True)
    pixels = candidates.pictures(6)
    files.write(tmp_path / "one.keras", answering(run, "decades"), "float32")
    np.save(tmp_path / "pixels.npy", pixels)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    said = subprocess.run(
        [sys.executable, "-c", ASK, "one.keras", "pixels.npy"],
        cwd=tmp_path, env=environment | {"PYTHONPATH": str(NO_NETWORK)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(said.stdout.splitlines()[-1])
    wanted = files.asking(str(tmp_path / "one.keras"), threads=1)(pixels)
    assert set(found) == set(OUTPUTS)
    for name in OUTPUTS:
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-3)


def test_a_tflite_file_takes_one_picture_and_holds_built_in_operations_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "one.tflite"
    files.write(path, answering(candidates.ensemble(mirror=False), "decades"), "float16")
    content = flatbuffer_utils.read_model(str(path))
    kinds = {code.builtinCode for code in content.operatorCodes}
    assert schema.BuiltinOperator.CUSTOM not in kinds
    described = tflite.outputs(str(path))
    assert {one["name"] for one in described} == set(OUTPUTS)
    assert {one["name"] for one in described if one["dtype"] == "int32"} == {features.OUT_AGE_GROUP}
    assert all(one["shape"] == [1] for one in described)


def test_int8_is_for_trunks_and_answers_stay_near(tmp_path: Path) -> None:
    run = candidates.run("multitask_cnn", mirror=True, input_size=32)
    model = answering(run, "decades")
    pixels = candidates.pictures(COUNT)
    for quantize in ("float32", "int8"):
        drawn = iter(candidates.pictures(40, seed=1))
        files.write(tmp_path / f"{quantize}.tflite", model, quantize, drawn)  # type: ignore[arg-type]
    types = inputs_of_operators(tmp_path / "int8.tflite")
    assert types[schema.BuiltinOperator.CONV_2D] == {schema.TensorType.INT8}
    for kind in ("FULLY_CONNECTED", "SOFTMAX", "CUMSUM", "BATCH_MATMUL"):
        assert types[getattr(schema.BuiltinOperator, kind)] == {schema.TensorType.FLOAT32}
    exact, near = (
        files.asking(str(tmp_path / f"{quantize}.tflite"), threads=1)(pixels)
        for quantize in ("float32", "int8")
    )
    assert np.abs(exact["age"] - near["age"]).mean() < 0.25 * np.ptp(exact["age"])
    assert np.abs(exact["female_probability"] - near["female_probability"]).mean() < 0.1
    assert (near["age_low"] <= near["age"]).all()
    assert (near["age"] <= near["age_high"]).all()


def inputs_of_operators(path: Path) -> dict[int, set[int]]:
    """The types of the first input of each kind of operator."""
    content = flatbuffer_utils.read_model(str(path))
    found: dict[int, set[int]] = {}
    for operator in content.subgraphs[0].operators:
        kind = content.operatorCodes[operator.opcodeIndex].builtinCode
        found.setdefault(kind, set()).add(content.subgraphs[0].tensors[operator.inputs[0]].type)
    return found
