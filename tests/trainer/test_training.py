from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from schema import features
from trainer import dataset, heads, progress, training
from trainer.callbacks import SCALE
from trainer.hyperparameters import Architecture, Hyperparameters
from trainer.score import score

CONFIG = {"family": "multitask_cnn", "store_size": 16}


def hyperparameters(**changes: object) -> Hyperparameters:
    small = {"widths": (4, 8), "dropout": 0.0}
    return Hyperparameters(
        architecture=Architecture(**small),  # type: ignore[arg-type]
        **{"epochs": 6, "batch_size": 8, "learning_rate": 0.05} | changes,  # type: ignore[arg-type]
    )


def faces(count: int, seed: int) -> tf.data.Dataset:
    """Pictures whose brightness is the age and whose tint is the gender."""
    random = np.random.default_rng(seed)
    ages = random.uniform(0, 116, count).astype(np.float32)
    female = random.integers(0, 2, count).astype(np.float32)
    pixels = np.repeat(ages[:, None, None, None] * 2, 16, 1).repeat(16, 2).repeat(3, 3)
    pixels[..., 0] += 20 * female[:, None, None]
    labels = {features.AGE: ages, features.GENDER: female}
    return tf.data.Dataset.from_tensor_slices((pixels.astype(np.uint8), labels))


@pytest.fixture
def fitted() -> tuple[keras.Model, dict[str, list[float]], tf.data.Dataset]:
    keras.utils.set_random_seed(0)
    val = dataset.plain_batches(faces(32, 1), 16)
    model, history = training._fit(CONFIG, hyperparameters(), "float32", faces(64, 0), val, "")
    return model, history, val


def test_the_weights_are_those_of_the_best_epoch(
    fitted: tuple[keras.Model, dict[str, list[float]], tf.data.Dataset],
) -> None:
    model, history, val = fitted
    scores = [
        score(age, gender, **SCALE)
        for age, gender in zip(
            history["val_age_age_mae"], history["val_gender_accuracy"], strict=True
        )
    ]
    kept = training.evaluate(partial(training.predict, model), val)
    assert score(**kept, **SCALE) == pytest.approx(min(scores), rel=1e-3)
    assert min(scores) < scores[0]


def test_training_again_gives_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        val = dataset.plain_batches(faces(16, 1), 16)
        model, _ = training._fit(
            CONFIG, hyperparameters(epochs=2), "float32", faces(32, 0), val, ""
        )
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(*weights)


def test_it_stops_when_val_gets_no_better() -> None:
    hyper = hyperparameters(epochs=30, patience=1, learning_rate=1e-12)
    val = dataset.plain_batches(faces(16, 1), 16)
    _, history = training._fit(CONFIG, hyper, "float32", faces(32, 0), val, "")
    assert len(history["loss"]) < 30


def test_a_listener_hears_every_step() -> None:
    heard: list[progress.Progress] = []
    val = dataset.plain_batches(faces(16, 1), 16)
    with progress.listening(heard.append):
        training._fit(CONFIG, hyperparameters(epochs=2), "float32", faces(32, 0), val, "")
    assert [(news.epoch, news.step) for news in heard] == [
        *((0, step) for step in (1, 2, 3, 4)),
        (1, 0),
        *((1, step) for step in (1, 2, 3, 4)),
        (2, 0),
    ]
    assert heard[-1].figures["val age MAE"] >= 0


def test_the_export_in_float32_keeps_the_weights() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = training.build(CONFIG, hyperparameters())
    finally:
        keras.config.set_dtype_policy("float32")
    plain = training._in_float32(mixed, CONFIG, hyperparameters())
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}
    for ours, theirs in zip(plain.get_weights(), mixed.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_order_and_the_changes_differ_by_epoch_and_not_by_run() -> None:
    def epochs() -> list[np.ndarray]:
        batches = dataset.training_batches(faces(32, 0), 8, hyperparameters().augmentation, seed=5)
        return [np.concatenate([pixels for pixels, _ in batches]) for _ in range(2)]

    first, again = epochs(), epochs()
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.abs(first[0] - first[1]).max() > 1


def test_a_mirrored_answer_is_the_same_for_a_mirror_image() -> None:
    model = training.build(CONFIG, hyperparameters())
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    plain, flipped = (training.predict(model, p) for p in (pixels, pixels[:, :, ::-1]))
    mean, same = (training.predict(model, p, mirror=True) for p in (pixels, pixels[:, :, ::-1]))
    for name in mean:
        np.testing.assert_allclose(mean[name], (plain[name] + flipped[name]) / 2, rtol=1e-5)
        np.testing.assert_allclose(mean[name], same[name], rtol=1e-5)
        assert not np.allclose(plain[name], flipped[name], rtol=1e-6)


def test_an_empty_split_is_named() -> None:
    with pytest.raises(training.UserError, match="split calib holds no picture"):
        training._load([], "calib", 16)


def test_a_diverged_training_is_refused() -> None:
    sound = {"age_mae": 5.0, "gender_accuracy": 0.9}
    assert training._finite(sound) == sound
    with pytest.raises(training.UserError, match="learning_rate"):
        training._finite(sound | {"age_mae": float("nan")})


@pytest.mark.parametrize("how", ["none", "inverse", "sqrt_inverse"])
def test_age_weights_go_to_the_age_loss_alone(how: str) -> None:
    train, hyper = faces(32, 0), hyperparameters(age_weights=how)
    weights = training._weights(hyper, train)
    batches = dataset.training_batches(train, 32, hyper.augmentation, 0, age_weights=weights)
    pixels, labels, *weighted = next(iter(batches))
    model = training.build(CONFIG, hyper)
    training.compile_model(model, hyper, 1)
    told = model.test_on_batch(pixels, labels, *weighted, return_dict=True)

    by_face = np.ones(32)
    if weights is not None:
        by_face = weights[np.rint(labels[features.AGE].numpy()).astype(int)]
        assert by_face.std() > 0.1
    assert bool(weighted) == (how != "none")
    answer = model(pixels, training=False)
    losses = heads.AgeLoss(hyper.age_sigma, hyper.age_l1).call(
        labels[features.AGE], answer[features.AGE]
    )
    assert told["age_loss"] == pytest.approx((losses.numpy() * by_face).mean(), rel=1e-4)
    errors = heads.age_mae(labels[features.AGE], answer[features.AGE]).numpy()
    assert told["age_age_mae"] == pytest.approx(errors.mean(), rel=1e-4)
    logits, truth = answer[features.GENDER][:, 0].numpy(), labels[features.GENDER].numpy()
    entropy = np.log1p(np.exp(logits)) - truth * logits
    assert told["gender_loss"] == pytest.approx(entropy.mean(), rel=1e-4)


@pytest.mark.parametrize("how", ["inverse", "sqrt_inverse"])
def test_weighted_training_runs_and_differs(how: str) -> None:
    trained = []
    for choice in ("none", how):
        keras.utils.set_random_seed(3)
        hyper, train = hyperparameters(epochs=1, age_weights=choice), faces(32, 0)
        model, history = training._fit(
            CONFIG,
            hyper,
            "float32",
            train,
            dataset.plain_batches(faces(16, 1), 16),
            "",
            training._weights(hyper, train),
        )
        assert np.isfinite(history["loss"]).all()
        trained.append(model.get_weights()[0])
    assert np.abs(trained[0] - trained[1]).max() > 0
