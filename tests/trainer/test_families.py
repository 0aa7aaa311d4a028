"""One sweep over everything that can be trained."""

from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from schema import features
from tests import faces
from trainer import dataset, families, fitting, predictors, training
from trainer.export import AGE_PROBABILITIES, export_servable
from trainer.families.backbones import BACKBONES
from trainer.hyperparameters import Architecture, Hyperparameters, Transfer
from trainer.names import TRAINED_MODELS, family, is_student, kind

CNNS = ("gender_cnn", "age_cnn", "multitask_cnn")
# Minutes together on two cores: their graphs are large, whatever the size of the pictures.
SLOW = {
    "transfer_mobilenet_v2",
    "transfer_efficientnet_b0",
    "transfer_efficientnet_b1",
    "transfer_efficientnet_b2",
    "transfer_resnet50",
}
OF_LABELS = [name for name in TRAINED_MODELS if not is_student(name)]
SWEEP = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in OF_LABELS]
COUNT = 16


def hyperparameters(**changes: object) -> Hyperparameters:
    return Hyperparameters(
        architecture=Architecture(widths=(8, 16), dropout=0.0, **changes),  # type: ignore[arg-type]
        transfer=Transfer(weights="none"),
        learning_rate=1e-2,
        epochs=1,
        batch_size=8,
    )


def build(name: str, size: int = faces.SIZE, **changes: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    return families.build(name, size, hyperparameters(**changes))


@pytest.mark.parametrize("name", [*CNNS, "transfer_vgg16"])
def test_it_can_see_smaller_pictures_than_are_stored(name: str) -> None:
    hyper = hyperparameters().model_copy(update={"input_size": 32})
    seeing_less = families.build(name, 48, hyper)
    small = families.build(name, 32, hyperparameters())
    small.set_weights(seeing_less.get_weights())
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype(np.float32)
    resized = tf.image.resize(pixels, (32, 32), antialias=True)
    found, wanted = seeing_less(pixels), small(resized)
    for answer in families.family(name).answers:
        np.testing.assert_allclose(found[answer], wanted[answer], rtol=1e-4, atol=1e-4)


def test_every_trained_model_has_a_family_and_every_family_a_model() -> None:
    assert {family(name) for name in TRAINED_MODELS} == set(families.FAMILIES)
    assert {f"transfer_{name}" for name in BACKBONES} == set(OF_LABELS) - set(CNNS)


def test_a_student_is_built_like_the_model_that_learns_from_labels_alone() -> None:
    students = {kind(name): name for name in TRAINED_MODELS if is_student(name)}
    # Its teacher answers both questions, and so does it.
    assert set(students) == set(OF_LABELS) - {"gender_cnn", "age_cnn"}
    for name in ("multitask_cnn", "transfer_vgg16"):
        plain, student = build(name), build(students[name])
        assert student.name == students[name]
        assert [w.shape for w in student.weights] == [w.shape for w in plain.weights]


@pytest.mark.parametrize("name", SWEEP)
def test_it_goes_all_the_way(name: str, transform_16: Path, tmp_path: Path) -> None:
    pixels, labels = faces.arrays(COUNT, 0)
    batches = dataset.plain_batches(faces.dataset(COUNT, 0), 8)
    fitted = fitting.fit(
        name, faces.SIZE, hyperparameters(), "float32", faces.dataset(COUNT, 0), batches
    )
    assert np.isfinite(fitted.history["loss"]).all()
    assert np.isfinite(fitted.history["val_score"]).all()

    answers = families.family(name).answers
    logits = fitted.model(pixels.astype(np.float32))
    assert set(logits) == set(answers)
    fitted.model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")(pixels.astype(np.float32))
    for answer in answers:
        np.testing.assert_array_equal(logits[answer], again[answer])

    ask = partial(predictors.raw, fitted.model)
    raw = ask(pixels)
    labelled = labels, {key: value.numpy() for key, value in raw.items()}
    found = training.calibrate(labelled, labelled)
    transform = tft.TFTransformOutput(str(transform_16))
    export_servable(
        str(tmp_path / "servable"),
        lambda given: predictors.calibrated(ask(given), found),
        transform,
        faces.SIZE,
        "five",
        found.model_dump_json(),
    )
    served = tf.saved_model.load(str(tmp_path / "servable"))
    assert served.calibration().numpy().decode() == found.model_dump_json()
    out = served.signatures["serving_default"](image_bytes=tf.constant(faces.encoded(COUNT, 0)))
    assert {values.shape for values in out.values()} == {(COUNT,)}
    expected = set()
    if "age" in answers:
        expected |= {"age", "age_low", "age_high", "age_group"}
        np.testing.assert_allclose(out["age"], raw["age"], rtol=1e-3)
        assert (out["age_low"].numpy() >= 0).all()
        assert (out["age_low"].numpy() <= out["age"].numpy()).all()
        assert (out["age"].numpy() <= out["age_high"].numpy()).all()
        assert (out["age_high"].numpy() <= 116).all()
        assert set(out["age_group"].numpy()) <= {b"0-14", b"15-25", b"26-39", b"40-59", b"60+"}
    if "gender" in answers:
        expected |= {"female_probability", "gender"}
        female = out["female_probability"].numpy()
        np.testing.assert_array_equal(out["gender"].numpy() == b"female", female >= 0.5)
        np.testing.assert_array_equal(female >= 0.5, raw["gender"].numpy() >= 0)
    assert set(out) == expected


@pytest.mark.parametrize("head", ["distribution", "regression"])
@pytest.mark.parametrize("name", ["age_cnn", "multitask_cnn", "transfer_vggface"])
def test_both_heads_give_years_with_quantiles(name: str, head: str) -> None:
    answer = predictors.raw(build(name, age_head=head), faces.arrays(4, 0)[0])
    years = answer["age"].numpy()
    assert years.shape == (4,)
    assert ((years >= 0) & (years <= features.MAX_AGE)).all()
    assert (AGE_PROBABILITIES in answer) == (head == "distribution")
    low, high = (end.numpy() for end in predictors.interval(answer, 0.1))
    if head == "regression":
        np.testing.assert_array_equal([low, high], [years, years])
    else:
        np.testing.assert_allclose(answer[AGE_PROBABILITIES].numpy().sum(axis=1), 1, rtol=1e-5)
        assert (low < high).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", CNNS)
def test_it_learns_one_batch_by_heart(name: str, policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    pixels, labels = faces.arrays(8, 0)
    answered = {answer: labels[answer] for answer in families.family(name).answers}
    fitting.compile_model(model, hyperparameters(), steps=40)
    before = model.evaluate(pixels, answered, verbose=0, return_dict=True)
    model.fit(pixels, answered, batch_size=8, epochs=40, verbose=0)
    after = model.evaluate(pixels, answered, verbose=0, return_dict=True)
    assert after["loss"] < 0.7 * before["loss"]
    if "age" in answered:
        assert after["age_mae"] < before["age_mae"]


@pytest.mark.parametrize("name", [*CNNS, "transfer_mobilenet_v2"])
def test_it_takes_any_store_size(name: str) -> None:
    for size in (16, 48):
        assert build(name, size).input_shape == (None, size, size, 3)
