import numpy as np
import pytest
import tensorflow as tf

from trainer.augment import augment
from trainer.hyperparameters import Augmentation

NONE = {
    "flip": False,
    "rotation": 0,
    "zoom": 0,
    "shift": 0,
    "brightness": 0,
    "contrast": 0,
    "saturation": 0,
}
SEED = tf.constant([3, 4], tf.int64)


@pytest.fixture
def batch() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 24, 24, 3), dtype=np.uint8)


def test_without_changes_nothing_changes(batch: np.ndarray) -> None:
    np.testing.assert_allclose(augment(batch, SEED, Augmentation(**NONE)), batch, atol=1e-3)


def test_flip_mirrors_about_half_and_leaves_the_others(batch: np.ndarray) -> None:
    out = augment(batch, SEED, Augmentation(**NONE | {"flip": True})).numpy()
    same = [np.allclose(a, b, atol=1e-3) for a, b in zip(out, batch, strict=True)]
    mirrored = [np.allclose(a, b[:, ::-1], atol=1e-3) for a, b in zip(out, batch, strict=True)]
    assert all(s != m for s, m in zip(same, mirrored, strict=True))
    assert 2 < sum(mirrored) < 14


@pytest.mark.parametrize("change", ["rotation", "zoom", "shift", "brightness", "contrast"])
def test_every_change_changes_within_range(batch: np.ndarray, change: str) -> None:
    out = augment(batch, SEED, Augmentation(**NONE | {change: 0.3})).numpy()
    assert out.shape == batch.shape
    assert np.abs(out - batch).max() > 1
    assert out.min() >= 0
    assert out.max() <= 255


def test_saturation_leaves_grey_alone() -> None:
    grey = np.full((2, 8, 8, 3), 90, np.uint8)
    out = augment(grey, SEED, Augmentation(**NONE | {"saturation": 0.9}))
    np.testing.assert_allclose(out, grey, atol=1e-3)


def test_the_seed_decides(batch: np.ndarray) -> None:
    first, again = (augment(batch, SEED, Augmentation()) for _ in range(2))
    other = augment(batch, SEED + 1, Augmentation())
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1


def test_erasing_greys_a_rectangle_of_some_and_leaves_the_rest(batch: np.ndarray) -> None:
    how = Augmentation(**NONE | {"erase": 0.5})
    out = augment(batch, SEED, how).numpy()
    erased = np.abs(out - batch).max(axis=3) > 1
    assert 4 <= erased.any(axis=(1, 2)).sum() <= len(batch) / 2
    for one, changed in zip(out, erased, strict=True):
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if len(rows):
            inside = one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            np.testing.assert_array_equal(inside, 127.5)
            assert max(inside.shape[:2]) <= 0.5 * batch.shape[1] + 1
