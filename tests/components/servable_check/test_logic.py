"""What keeps the contract passes in a process of its own; whatever breaks it is named."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.servable_check import logic, probe
from components.servable_check.warm_up import write_warm_up
from tests.components.servable_check import servables

Reply = dict[str, Any]


@pytest.fixture
def ask(example_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Reply]:
    """The probe's reply about a model, asked in this process: quick, and enough for most faults."""

    def in_this_process(model: Path) -> Reply:
        replies: list[Reply] = []

        def keep(request: Reply, *_: object) -> Reply:
            replies.append(json.loads(json.dumps(probe.ask(request))))
            return replies[-1]

        with monkeypatch.context() as patched:
            patched.setattr(logic, "_ask_in_fresh_process", keep)
            logic.check(str(model), [str(example_file)], 60, Path("unused.log"))
        return replies[0]

    return in_this_process


@pytest.fixture
def sound_reply(ask: Callable[[Path], Reply], sound_servable: Path) -> Reply:
    return ask(sound_servable)


def test_a_sound_servable_passes_in_a_fresh_process(
    sound_servable: Path, example_file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "probe.log"
    assert logic.check(str(sound_servable), [str(example_file)], 300, log) == []
    assert "asked" in log.read_text()


def test_a_servable_that_leans_on_our_python_does_not_pass(
    example_file: Path, tmp_path: Path, ask: Callable[[Path], Reply]
) -> None:
    def by_python(answers: servables.Answers) -> servables.Answers:
        age = tf.py_function(lambda x: x, [answers["age"]], tf.float32)
        return answers | {"age": tf.ensure_shape(age, [None])}

    model = servables.export(tmp_path / "model", by_python)
    write_warm_up(str(model / "assets.extra" / "tf_serving_warmup_requests"))
    assert logic.faults(ask(model)) == []  # as long as the function lives in this process
    faults = logic.check(str(model), [str(example_file)], 300, tmp_path / "probe.log")
    assert "refused with" in faults[0]
    assert "pyfunc" in faults[0]


def test_a_damaged_model_does_not_load(
    sound_servable: Path, tmp_path: Path, ask: Callable[[Path], Reply]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(sound_servable, model)
    graph = (model / "saved_model.pb").read_bytes()
    (model / "saved_model.pb").write_bytes(graph[: len(graph) // 2])
    assert logic.faults(ask(model))[0].startswith("it does not load: ")


Spoil = Callable[[servables.Answers], servables.Answers]
BROKEN: dict[str, tuple[Spoil, str]] = {
    "missing output": (lambda a: {k: v for k, v in a.items() if k != "age_low"}, "instead of"),
    "not a number": (lambda a: a | {"age": a["age"] * float("nan")}, "age is not a finite number"),
    "wrong type": (lambda a: a | {"age": tf.cast(a["age"], tf.float64)}, "age is float64"),
    "wrong batch": (lambda a: {k: v[:1] for k, v in a.items()}, "[1] instead of float32 [6]"),
    "wrong rank": (lambda a: a | {"gender": a["gender"][:, None]}, "gender is string [6, 1]"),
    "crossed interval": (lambda a: a | {"age_low": a["age"] + 1}, "outside its own interval"),
    "depends on the others in the batch": (
        lambda a: a | {"age_high": a["age_high"] + tf.reduce_mean(a["age"])},
        "in a batch",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_servable_is_found_out(
    name: str, tmp_path: Path, ask: Callable[[Path], Reply]
) -> None:
    spoil, said = BROKEN[name]
    model = servables.export(tmp_path / "model", spoil)
    write_warm_up(str(model / "assets.extra" / "tf_serving_warmup_requests"))
    assert said in logic.faults(ask(model))[0]


def _set(reply: Reply, question: str, output: str, value: Any) -> None:
    reply["answers"][question]["outputs"][output]["values"][0] = value


DOCTORED: dict[str, tuple[Callable[[Reply], None], str]] = {
    "no signature": (lambda r: r["signatures"].pop("transform_features"), "there is no signature"),
    "fixed batch": (
        lambda r: r["signatures"]["serving_default"]["image_bytes"].__setitem__(1, [1]),
        "serving_default takes",
    ),
    "other input": (
        lambda r: r["signatures"].update(serving_examples={"x": ["string", [None]]}),
        "serving_examples takes",
    ),
    "no faces": (lambda r: r.update(faces=0, answers={}), "no face"),
    "too old": (lambda r: _set(r, "batch", "age", 117.0), "outside 0..116"),
    "wrong group": (lambda r: _set(r, "batch", "age_group", "old"), "in age group 'old'"),
    "wrong word": (lambda r: _set(r, "batch", "gender", "female"), "gender is 'female'"),
    "unknown word": (lambda r: _set(r, "batch", "gender", "?"), "gender is '?'"),
    "no probability": (
        lambda r: _set(r, "batch", "female_probability", -0.1),
        "female_probability -0.1",
    ),
    "two entrances, two answers": (
        lambda r: _set(r, "examples", "female_probability", 0.1),
        "as serving_examples",
    ),
    "another answer later": (
        lambda r: _set(r, "batch_after_corrupt", "age_high", 80.0),
        "later",
    ),
    "a corrupt picture is answered": (
        lambda r: r["answers"]["corrupt"].update({"half a JPEG": {"outputs": {}}}),
        "half a JPEG was answered",
    ),
    "no warm-up": (lambda r: r["answers"].update(warm_up=[]), "no warm-up"),
    "warm-up fails": (
        lambda r: r["answers"].update(warm_up=[{"error": "no"}]),
        "warm-up request: refused",
    ),
    "transform drops a row": (
        lambda r: r["answers"]["transformed"]["outputs"]["pixels"].update(shape=[4]),
        "transform_features: pixels is [4], 5",
    ),
    "transform refuses": (
        lambda r: r["answers"].update(transformed={"error": "no"}),
        "transform_features: refused",
    ),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_every_clause_of_the_contract_is_looked_at(name: str, sound_reply: Reply) -> None:
    doctor, said = DOCTORED[name]
    assert logic.faults(sound_reply) == []
    doctor(sound_reply)
    assert said in logic.faults(sound_reply)[0]


def test_noise_of_float32_is_no_disagreement(sound_reply: Reply) -> None:
    ages = sound_reply["answers"]["examples"]["outputs"]["age"]["values"]
    ages[3] *= 1 + 1e-5
    assert logic.faults(sound_reply) == []


@pytest.mark.parametrize(
    ("script", "seconds", "said"),
    [
        ("import time; time.sleep(3600)", 1, "no answer within 1 s (max_seconds)"),
        ("import os; os.kill(os.getpid(), 11)", 60, "ended by SIGSEGV"),
        ("import beside", 60, "ended in ModuleNotFoundError: No module named 'beside'"),
        ("print('hello')", 60, "ended without an answer"),
    ],
)
def test_a_probe_that_dies_is_a_fault_and_no_more(
    script: str, seconds: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "probe.py").write_text(script)
    (tmp_path / "beside.py").touch()  # neither its own folder nor PYTHONPATH may help the probe
    monkeypatch.setattr(logic, "PROBE", tmp_path / "probe.py")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    faults = logic.check("model", [], seconds, tmp_path / "probe.log")
    assert len(faults) == 1
    assert said in faults[0]


def test_the_probe_has_no_more_than_a_server_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in probe.ABSENT:
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name))
    probe.refuse_imports()
    for name in ("trainer.export", "schema.features", "keras", "tensorflow_transform"):
        with pytest.raises(ImportError):
            __import__(name)
