"""One sweep over every registered family."""

import keras
import numpy as np
import pytest

from schema import features
from trainer import heads, training
from trainer.families import FAMILIES
from trainer.hyperparameters import Architecture, Hyperparameters

SIZE, COUNT = 32, 8


def hyperparameters(**changes: object) -> Hyperparameters:
    small = Architecture(widths=(8, 16), dropout=0.0, **changes)  # type: ignore[arg-type]
    return Hyperparameters(architecture=small, learning_rate=1e-2)


def build(family: str, **changes: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    return training.build({"family": family, "store_size": SIZE}, hyperparameters(**changes))


@pytest.fixture
def faces() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)
    ages = np.linspace(5, 90, COUNT).astype(np.float32)
    return pixels, {features.AGE: ages, features.GENDER: np.arange(COUNT) % 2.0}


@pytest.mark.parametrize("head", ["distribution", "regression"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_answers_what_it_is_registered_for(
    family: str, head: str, faces: tuple[np.ndarray, dict[str, np.ndarray]]
) -> None:
    model = build(family, age_head=head)
    out = model(faces[0].astype(np.float32))
    assert set(out) == set(FAMILIES[family].answers)
    for values in out.values():
        assert values.shape[0] == COUNT
        assert np.isfinite(values).all()
    assert heads.age_years(out[features.AGE]).shape == (COUNT,)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_learns_one_batch_by_heart(
    family: str, policy: str, faces: tuple[np.ndarray, dict[str, np.ndarray]]
) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = build(family)
    finally:
        keras.config.set_dtype_policy("float32")
    training.compile_model(model, hyperparameters(), steps=40)
    before = model.evaluate(*faces, verbose=0, return_dict=True)
    model.fit(*faces, batch_size=COUNT, epochs=40, verbose=0)
    after = model.evaluate(*faces, verbose=0, return_dict=True)
    assert after["loss"] < 0.7 * before["loss"]
    assert after["age_age_mae"] < before["age_age_mae"]


@pytest.mark.parametrize("family", FAMILIES)
def test_it_takes_any_store_size(family: str) -> None:
    for size in (16, 48):
        model = training.build({"family": family, "store_size": size}, hyperparameters())
        assert model.input_shape == (None, size, size, 3)
