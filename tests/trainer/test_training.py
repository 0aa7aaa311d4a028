from functools import partial

import keras
import numpy as np
import pytest

from schema import features
from tests import faces
from trainer import dataset, families, fitting, heads, predictors, progress, training
from trainer.age_weights import age_weights
from trainer.callbacks import val_score
from trainer.hyperparameters import Architecture, Hyperparameters

MODEL = "multitask_cnn"
ANSWERS = [("gender_cnn", "gender"), ("age_cnn", "age"), ("multitask_cnn", "age gender")]


def hyperparameters(**changes: object) -> Hyperparameters:
    small = {"widths": (4, 8), "dropout": 0.0}
    return Hyperparameters(
        architecture=Architecture(**small),  # type: ignore[arg-type]
        **{"epochs": 6, "batch_size": 8, "learning_rate": 0.05} | changes,  # type: ignore[arg-type]
    )


def fit(
    hyper: Hyperparameters, count: int = 32, model: str = MODEL, policy: str = "float32"
) -> fitting.Fitted:
    return fitting.fit(
        model,
        16,
        hyper,
        policy,
        faces.dataset(count, 0),
        dataset.plain_batches(faces.dataset(32, 1), 16),
    )


@pytest.mark.parametrize(("model", "answers"), ANSWERS)
def test_the_weights_are_those_of_the_best_epoch(model: str, answers: str) -> None:
    keras.utils.set_random_seed(0)
    fitted = fit(hyperparameters(), count=64, model=model)
    assert families.family(model).answers == tuple(answers.split())
    curves = {"age": "val_age_mae", "gender": "val_gender_accuracy"}
    assert {name for name in curves if curves[name] in fitted.history} == set(answers.split())
    found = predictors.collect(
        partial(predictors.raw, fitted.model), dataset.plain_batches(faces.dataset(32, 1), 16)
    )
    kept = training.figures_of(*found)
    scores = fitted.history["val_score"]
    expected = val_score({f"val_{name}": value for name, value in kept.items()})
    assert expected == pytest.approx(min(scores), rel=1e-3)
    assert min(scores) < scores[0]


def test_the_score_of_one_answer_is_its_part_of_the_score_of_both() -> None:
    age, gender = {"val_age_mae": 4.0}, {"val_gender_accuracy": 0.95}
    assert val_score(age) == pytest.approx(0.8)
    assert val_score(gender) == pytest.approx(0.5)
    assert val_score(age | gender) == pytest.approx(1.3)
    with pytest.raises(ValueError, match="nothing to score"):
        val_score({"val_loss": 1.0})


def test_training_again_gives_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        fitted = fit(hyperparameters(epochs=2))
        weights.append(np.concatenate([w.ravel() for w in fitted.model.get_weights()]))
    np.testing.assert_array_equal(*weights)


def test_it_stops_when_val_gets_no_better() -> None:
    hyper = hyperparameters(epochs=30, patience=1, learning_rate=1e-12)
    assert len(fit(hyper).history["loss"]) < 30


def test_a_listener_hears_every_step() -> None:
    heard: list[progress.Progress] = []
    with progress.listening(heard.append):
        fit(hyperparameters(epochs=2))
    assert [(news.epoch, news.step) for news in heard] == [
        *((0, step) for step in (1, 2, 3, 4)),
        (1, 0),
        *((1, step) for step in (1, 2, 3, 4)),
        (2, 0),
    ]
    assert heard[-1].figures["val age MAE"] >= 0


def test_the_copy_in_float32_keeps_the_weights_and_the_answers() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = families.build(MODEL, 16, hyperparameters())
    finally:
        keras.config.set_dtype_policy("float32")
    plain = fitting.in_float32(mixed)
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}
    for ours, theirs in zip(plain.get_weights(), mixed.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(plain(pixels)["age"], mixed(pixels)["age"], atol=0.05)


def test_a_normalization_inside_the_backbone_is_copied_too() -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 8)).astype(np.float32)
    norm = keras.layers.Normalization()
    norm.adapt(pixels)
    given = keras.Input((8,))
    inner = keras.Sequential([keras.Input((8,)), norm])
    model = keras.Model(given, {"age": keras.layers.Dense(1)(inner(given))})
    copied = fitting.in_float32(model)
    np.testing.assert_allclose(copied(pixels)["age"], model(pixels)["age"], rtol=1e-5)


def test_the_order_and_the_changes_differ_by_epoch_and_not_by_run() -> None:
    def epochs() -> list[np.ndarray]:
        batches = dataset.training_batches(
            faces.dataset(32, 0), 8, hyperparameters().augmentation, seed=5
        )
        return [np.concatenate([pixels for pixels, _ in batches]) for _ in range(2)]

    first, again = epochs(), epochs()
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.abs(first[0] - first[1]).max() > 1


def test_a_mirrored_answer_is_the_same_for_a_mirror_image() -> None:
    model = families.build(MODEL, 16, hyperparameters())
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    plain, flipped = (predictors.raw(model, p) for p in (pixels, pixels[:, :, ::-1]))
    mean, same = (predictors.raw(model, p, mirror=True) for p in (pixels, pixels[:, :, ::-1]))
    for name in ("age_probabilities", "gender"):
        np.testing.assert_allclose(mean[name], (plain[name] + flipped[name]) / 2, rtol=1e-4)
        assert not np.allclose(plain[name], flipped[name], rtol=1e-6)
    for name, answer in mean.items():
        np.testing.assert_allclose(answer, same[name], rtol=1e-4)


def test_an_empty_split_is_named() -> None:
    with pytest.raises(training.UserError, match="split calib holds no picture"):
        training.load([], "calib", 16)


def test_a_diverged_training_is_refused() -> None:
    sound = {"age_mae": 5.0, "gender_accuracy": 0.9}
    assert training._finite(sound | {"age_r2": float("nan")}) == sound
    assert training._finite({"gender_accuracy": 0.9}) == {"gender_accuracy": 0.9}
    with pytest.raises(training.UserError, match="learning_rate"):
        training._finite(sound | {"age_mae": float("nan")})


@pytest.mark.parametrize("how", ["none", "inverse", "sqrt_inverse"])
def test_age_weights_go_to_the_age_loss_alone(how: str) -> None:
    train, hyper = faces.dataset(32, 0), hyperparameters(age_weights=how)
    weights = None if how == "none" else age_weights(dataset.ages(train), how)  # type: ignore[arg-type]
    batches = dataset.training_batches(train, 32, hyper.augmentation, 0, age_weights=weights)
    pixels, labels, *weighted = next(iter(batches))
    model = families.build(MODEL, 16, hyper)
    fitting.compile_model(model, hyper, 1)
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
    assert told["age_mae"] == pytest.approx(errors.mean(), rel=1e-4)
    logits, truth = answer[features.GENDER][:, 0].numpy(), labels[features.GENDER].numpy()
    entropy = np.log1p(np.exp(logits)) - truth * logits
    assert told["gender_loss"] == pytest.approx(entropy.mean(), rel=1e-4)


@pytest.mark.parametrize("how", ["inverse", "sqrt_inverse"])
def test_weighted_training_runs_and_differs(how: str) -> None:
    trained = []
    for choice in ("none", how):
        keras.utils.set_random_seed(3)
        fitted = fit(hyperparameters(epochs=1, age_weights=choice))
        assert np.isfinite(fitted.history["loss"]).all()
        assert (fitted.age_weights is None) == (choice == "none")
        trained.append(fitted.model.get_weights()[0])
    assert np.abs(trained[0] - trained[1]).max() > 0
