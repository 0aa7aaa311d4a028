from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from components.model_report import gradcam
from schema import features
from trainer import families, heads, runs
from trainer.hyperparameters import Architecture, Hyperparameters, Transfer

SIDE = 32


def pixels(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def looking_at_corners() -> keras.Model:
    """Red makes older, green more of a woman, blue more of a man."""
    inputs = keras.Input((SIDE, SIDE, 3))
    maps = layers.AveragePooling2D(8)(inputs)
    x = layers.GlobalAveragePooling2D()(maps)
    age = layers.Dense(heads.AGE_BINS, name=features.AGE)
    gender = layers.Dense(1, name=features.GENDER)
    model = keras.Model(inputs, {features.AGE: age(x), features.GENDER: gender(x)})
    older = np.zeros((3, heads.AGE_BINS), np.float32)
    older[0] = np.linspace(-0.1, 0.1, heads.AGE_BINS)
    age.set_weights([older, np.zeros(heads.AGE_BINS, np.float32)])
    gender.set_weights([np.array([[0.0], [1.0], [-1.0]], np.float32), np.zeros(1, np.float32)])
    return model


def test_it_finds_what_the_answers_stand_on() -> None:
    faces = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    faces[:, :8, :8, 0] = 200
    faces[0, 24:, :8, 1] = 200
    faces[1, 16:24, 16:24, 2] = 200  # the second is taken for a man
    heat = gradcam.heat_maps(looking_at_corners(), faces)
    assert heat[features.AGE].shape == (2, 4, 4)
    for face in heat[features.AGE]:
        assert face[0, 0] == 1
        assert face.sum() == pytest.approx(1)
    woman, man = heat[features.GENDER]
    assert (woman[3, 0], woman.sum()) == (1, pytest.approx(1))
    assert (man[2, 2], man.sum()) == (1, pytest.approx(1))


@pytest.mark.parametrize("frozen", [True, False])
def test_it_looks_into_a_backbone_that_may_be_frozen(frozen: bool, tmp_path: Path) -> None:
    hyper = Hyperparameters(transfer=Transfer(weights="none"))
    model = families.build("transfer_mobilenet_v2", SIDE, hyper)
    model.trainable = not frozen
    model.save(tmp_path / "model.keras")
    heat = gradcam.heat_maps(keras.models.load_model(tmp_path / "model.keras"), pixels())
    for maps in heat.values():
        assert maps.shape == (2, 1, 1)
        assert np.isfinite(maps).all()


def test_it_looks_into_each_of_two_joined_models(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    hyper = Hyperparameters(architecture=Architecture(widths=(4, 8)))
    parts = {name: families.build(f"{name}_cnn", SIDE, hyper) for name in ("gender", "age")}
    for answer, part in parts.items():
        # What any of the features adds makes older, and more of the one gender: none is cut off.
        kernel, bias = part.get_layer(answer).get_weights()
        rising = np.tile(np.linspace(-0.1, 0.1, kernel.shape[1], dtype=np.float32), (8, 1))
        part.get_layer(answer).set_weights([rising, bias])
    joined = runs.joined(parts["gender"], parts["age"])
    joined.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for answer, part in parts.items():
        alone = gradcam.heat_map(part, answer, pixels())
        assert 0 < alone.max() <= 1
        np.testing.assert_allclose(gradcam.heat_map(loaded, answer, pixels()), alone, atol=1e-4)


def test_a_model_without_a_map_of_features_is_refused() -> None:
    inputs = keras.Input((SIDE, SIDE, 3))
    flat = layers.Dense(1)(layers.Flatten()(inputs))
    with pytest.raises(ValueError, match="averages no map"):
        gradcam.heat_maps(
            keras.Model(inputs, {features.AGE: flat, features.GENDER: flat}), pixels()
        )
