"""The two phases, on a backbone small enough to be trained in a test."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import applications, layers

from pipeline.errors import UserError
from tests import faces
from trainer import dataset, families, fitting, frozen
from trainer.families import backbones, transfer
from trainer.families.backbones import BACKBONES, Backbone
from trainer.hyperparameters import Architecture, Augmentation, Hyperparameters, Transfer

NAME = "transfer_vgg16"
PICTURES = 24
MOBILENET = Path(__file__).parents[2] / "../shared/weights/mobilenet_v2_notop.weights.h5"


def tiny(weights: None, include_top: bool, input_shape: tuple[int, int, int]) -> keras.Model:
    assert weights is None
    assert not include_top
    x = pixels = keras.Input(input_shape)
    for index in range(3):
        x = layers.Conv2D(8, 3, strides=2, activation="relu", name=f"conv{index}")(x)
        x = layers.BatchNormalization(name=f"norm{index}")(x)
    return keras.Model(pixels, x, name="tiny")


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of weights of the tiny backbone, which stands in for VGG16."""
    monkeypatch.setitem(BACKBONES, "vgg16", Backbone(tiny, BACKBONES["mobilenet_v2"].preprocess))
    keras.utils.set_random_seed(5)
    path = tmp_path / "tiny.weights.h5"
    tiny(None, False, (32, 32, 3)).save_weights(path)
    return str(path)


def hyperparameters(weights: str, **changes: object) -> Hyperparameters:
    told = {"weights": weights, "frozen_epochs": 3, "unfrozen": 0.0} | changes
    return Hyperparameters(
        architecture=Architecture(dropout=0.0),
        transfer=Transfer(**told),  # type: ignore[arg-type]
        learning_rate=0.01,
        epochs=2,
        batch_size=8,
    )


def fit(hyper: Hyperparameters, policy: str = "float32") -> fitting.Fitted:
    keras.utils.set_random_seed(0)
    val = dataset.plain_batches(faces.dataset(16, 1), 16)
    return fitting.fit(NAME, faces.SIZE, hyper, policy, faces.dataset(PICTURES, 0), val)


def backbone_weights(model: keras.Model) -> dict[str, np.ndarray]:
    backbone = transfer.backbone_of(model)
    return {f"{one.path}": np.array(one) for one in backbone.weights}


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_first_phase_trains_the_heads_and_leaves_the_backbone(
    weights: str, policy: str
) -> None:
    hyper = hyperparameters(weights)
    fitted = fit(hyper, policy)
    assert fitted.frozen_epochs == len(fitted.history["loss"]) == 3
    assert fitted.history["loss"][-1] < fitted.history["loss"][0]
    untouched = families.build(NAME, faces.SIZE, hyper)
    for ours, theirs in zip(
        backbone_weights(fitted.model).values(), backbone_weights(untouched).values(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_the_backbone_sees_every_picture_once_and_its_mirror_image_once(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    embed = frozen.embed

    def counted(model: keras.Model, batches: object, mirror: bool) -> frozen.Embedded:
        done = embed(model, batches, mirror)
        seen.append(len(done.straight) * (1 + mirror))
        return done

    monkeypatch.setattr(frozen, "embed", counted)
    fit(hyperparameters(weights, frozen_epochs=4))
    assert seen == [2 * PICTURES, 16]


def test_the_cached_features_are_the_models_own(weights: str) -> None:
    model = families.build(NAME, faces.SIZE, hyperparameters(weights))
    pixels, labels = faces.arrays(PICTURES, 0)
    # Mirror images of even pictures are the same: these are not even.
    pixels[:, :, :5] = 0
    batches = dataset.plain_batches(dataset.tf.data.Dataset.from_tensor_slices((pixels, labels)), 7)
    cached = frozen.embed(model, batches, mirror=True)
    heads = frozen.heads_of(model)
    assert cached.straight.dtype == np.float32
    for features, given in ((cached.straight, pixels), (cached.mirrored, pixels[:, :, ::-1])):
        direct = model(given.astype(np.float32), training=False)
        np.testing.assert_allclose(heads(features)["age"], direct["age"], atol=1e-4)
    assert np.abs(cached.straight - cached.mirrored).max() > 0.01
    np.testing.assert_array_equal(cached.labels["age"], labels["age"])
    assert frozen.embed(model, batches, mirror=False).mirrored is not None
    # Trained apart, the heads are still the model's.
    before = model(pixels.astype(np.float32))["gender"].numpy()
    heads.get_layer("gender").bias.assign([3.0])
    np.testing.assert_allclose(model(pixels.astype(np.float32))["gender"], before + 3, atol=1e-4)


@pytest.mark.parametrize(
    ("batch_norm", "expected"), [("frozen", {"conv2"}), ("trained", {"conv2", "norm2"})]
)
def test_the_second_phase_trains_the_top_alone_and_batch_norm_where_it_may(
    weights: str, batch_norm: str, expected: set[str]
) -> None:
    hyper = hyperparameters(weights, unfrozen=0.3, learning_rate=0.02, batch_norm=batch_norm)
    before = backbone_weights(families.build(NAME, faces.SIZE, hyper))
    model = families.build(NAME, faces.SIZE, hyper)
    frozen.unfreeze(model, hyper.transfer)
    fitting.compile_model(model, hyper, steps=10, rate=0.02)
    batches = dataset.training_batches(faces.dataset(PICTURES, 0), 8, Augmentation(), seed=0)
    model.fit(batches, verbose=0)
    after = backbone_weights(model)
    changed = {
        name.split("/")[-2]
        for name, other in zip(before, after, strict=True)
        if np.abs(before[name] - after[other]).max() > 0
    }
    assert changed == expected


@pytest.mark.parametrize("penalty", [-1000.0, 1000.0])
def test_both_phases_follow_one_another_and_the_better_is_kept(
    weights: str, monkeypatch: pytest.MonkeyPatch, penalty: float
) -> None:
    fit_whole = fitting._fit_whole

    def judged(*given: Any) -> fitting.History:
        curves = fit_whole(*given)
        return curves | {"val_score": [score + penalty for score in curves["val_score"]]}

    monkeypatch.setattr(fitting, "_fit_whole", judged)
    fitted = fit(hyperparameters(weights, unfrozen=1.0))
    assert fitted.frozen_epochs == 3
    assert {len(curve) for curve in fitted.history.values()} == {5}
    pixels = faces.arrays(8, 2)[0].astype(np.float32)
    first = fit(hyperparameters(weights)).model(pixels)["age"]
    is_first = np.allclose(fitted.model(pixels)["age"], first, atol=1e-3)
    assert is_first == (penalty > 0)


def test_without_weights_everything_is_trained_in_one_phase(weights: str) -> None:
    del weights  # only its backbone
    fitted = fit(hyperparameters("none"))
    assert fitted.frozen_epochs == 0
    assert len(fitted.history["loss"]) == 2
    norm = transfer.backbone_of(fitted.model).get_layer("norm0")
    assert np.abs(norm.moving_mean).max() > 0


def test_a_model_that_is_only_asked_does_not_learn(weights: str) -> None:
    del weights
    model = families.build(NAME, faces.SIZE, hyperparameters("none"))
    pixels = faces.arrays(8, 0)[0].astype(np.float32)
    before = backbone_weights(model)
    model(pixels)
    for name, values in backbone_weights(model).items():
        np.testing.assert_array_equal(values, before[name])


def test_weights_of_another_model_are_one_line(weights: str) -> None:
    hyper = hyperparameters(weights)
    with pytest.raises(UserError, match=r"tiny.weights.h5 holds no weights of vggface") as caught:
        families.build("transfer_vggface", faces.SIZE, hyper)
    assert "\n" not in str(caught.value)


def test_imagenet_weights_that_cannot_be_downloaded_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keras.src.backend.config.keras_home", lambda: str(tmp_path))
    with pytest.raises(UserError, match=r"no ImageNet weights .*vgg16.* go online once") as caught:
        transfer.fetch(NAME, 32, hyperparameters("imagenet"))
    assert "\n" not in str(caught.value)
    transfer.fetch(NAME, 32, hyperparameters("none"))
    transfer.fetch("multitask_cnn", 32, hyperparameters("imagenet"))


@pytest.mark.parametrize(
    ("name", "module"),
    [("mobilenet_v2", applications.mobilenet_v2), ("vgg16", applications.vgg16),
     ("resnet50", applications.resnet50), ("efficientnet_b0", applications.efficientnet)],
)  # fmt: skip
def test_pictures_are_prepared_as_keras_prepares_them(name: str, module: object) -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    given = keras.Input((8, 8, 3))
    model = keras.Model(given, layers.Identity()(BACKBONES[name].preprocess(given)))
    expected = module.preprocess_input(pixels.copy())  # type: ignore[attr-defined]
    np.testing.assert_allclose(model(pixels), expected, atol=1e-4)


def test_an_efficientnet_from_a_file_sees_what_one_from_imagenet_would() -> None:
    pixels = np.random.default_rng(0).uniform(0, 1, (1, 8, 8, 3)).astype(np.float32)
    stem = layers.Conv2D(4, 3, use_bias=False, name="stem_conv")
    model = keras.Sequential([keras.Input((8, 8, 3)), stem])
    rescaled = stem(pixels / np.sqrt([0.229, 0.224, 0.225], dtype=np.float32))
    backbones._rescale_efficientnet(model)
    np.testing.assert_allclose(model(pixels), rescaled, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not MOBILENET.exists(), reason="no MobileNetV2 weights in ../shared/weights")
def test_the_weights_of_a_file_are_those_keras_reads() -> None:
    keras_own = applications.MobileNetV2(
        include_top=False, weights=str(MOBILENET), input_shape=(64, 64, 3), pooling="avg"
    )
    hyper = hyperparameters(str(MOBILENET))
    model = families.build("transfer_mobilenet_v2", 64, hyper)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    ours = keras.Model(model.input, model.get_layer(transfer.EMBEDDING).output)(pixels)
    theirs = keras_own(applications.mobilenet_v2.preprocess_input(pixels.copy()))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
