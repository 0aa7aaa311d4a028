"""Learning from what other models answer."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import faces
from trainer import dataset, fitting, heads, progress, teachers
from trainer.hyperparameters import Architecture, Hyperparameters

YEARS = np.arange(heads.AGE_BINS)


def hyperparameters(**changes: object) -> Hyperparameters:
    told = {"epochs": 2, "batch_size": 8, "teachers": 1} | changes
    return Hyperparameters(
        architecture=Architecture(widths=(4, 8), dropout=0.0),
        **told,  # type: ignore[arg-type]
    )


def random_answers(count: int, seed: int) -> dict[str, np.ndarray]:
    logits = np.random.default_rng(seed).normal(size=(count, heads.AGE_BINS))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gender = np.random.default_rng(seed).normal(size=count)
    return {"age_probabilities": shares, "gender": gender, "age": np.zeros(count)}


def test_a_soft_label_is_the_label_and_the_mean_answer_in_their_shares() -> None:
    labels = {"age": np.array([30.0, 0.0, 116.0]), "gender": np.array([1.0, 0.0, 1.0])}
    answers = [random_answers(3, seed) for seed in (0, 1)]
    soft = teachers.soften(labels, answers, hyperparameters(teacher_share=0.25, age_sigma=3.0))
    told = (answers[0]["age_probabilities"] + answers[1]["age_probabilities"]) / 2
    np.testing.assert_allclose(
        soft["age"][:, 0], 0.75 * labels["age"] + 0.25 * (told @ YEARS), 1e-5
    )
    bell = np.exp(-0.5 * ((YEARS - 30) / 3.0) ** 2)
    expected = 0.75 * bell / bell.sum() + 0.25 * told[0]
    np.testing.assert_allclose(soft["age"][0, 1:], expected, atol=1e-6)
    np.testing.assert_allclose(soft["age"][:, 1:].sum(axis=1), 1, rtol=1e-5)
    female = np.mean([1 / (1 + np.exp(-one["gender"])) for one in answers], axis=0)
    np.testing.assert_allclose(soft["gender"], 0.75 * labels["gender"] + 0.25 * female, 1e-5)


def test_the_loss_is_least_where_a_soft_label_is_answered() -> None:
    told = random_answers(1, 3)["age_probabilities"].astype(np.float32)
    label = np.concatenate([[[(told @ YEARS)[0]]], told], axis=1).astype(np.float32)
    loss = heads.AgeLoss(l1=0.2)
    best = float(loss(label, np.log(told)))
    assert best == pytest.approx(float(-(told * np.log(told)).sum()), rel=1e-3)
    for seed in range(5):
        other = np.log(told) + np.random.default_rng(seed).normal(0, 0.1, told.shape)
        assert float(loss(label, other.astype(np.float32))) > best


def test_a_soft_label_with_nothing_of_a_teacher_is_the_label() -> None:
    labels = {"age": np.array([30.0], np.float32), "gender": np.array([1.0], np.float32)}
    hyper = hyperparameters().model_copy(update={"teacher_share": 0.0})
    soft = teachers.soften(labels, [random_answers(1, 0)], hyper)
    logits = np.random.default_rng(4).normal(size=(1, heads.AGE_BINS)).astype(np.float32)
    loss = heads.AgeLoss(hyper.age_sigma)
    assert float(loss(soft["age"], logits)) == pytest.approx(float(loss(labels["age"], logits)))
    assert soft["gender"] == labels["gender"]


@pytest.mark.parametrize("model", ["multitask_cnn", "age_cnn", "gender_cnn"])
@pytest.mark.parametrize("head", ["distribution", "regression"])
def test_teachers_are_trained_first_on_the_labels_and_the_model_on_theirs(
    model: str, head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tf.data.Dataset] = []
    taught = teachers.taught

    def watched(train: tf.data.Dataset, models: object, hyper: Hyperparameters) -> tf.data.Dataset:
        told.append(taught(train, models, hyper))  # type: ignore[arg-type]
        return told[-1]

    monkeypatch.setattr(teachers, "taught", watched)
    hyper = hyperparameters(teachers=2, age_weights="inverse")
    shape = hyper.architecture.model_copy(update={"age_head": head})
    heard: list[progress.Progress] = []
    with progress.listening(heard.append):
        fitted = fitting.fit(
            model,
            faces.SIZE,
            hyper.model_copy(update={"architecture": shape}),
            "float32",
            faces.dataset(32, 0),
            dataset.plain_batches(faces.dataset(16, 1), 16),
            cache=str(tmp_path / "train"),
        )
    roles = list(dict.fromkeys(news.role for news in heard))
    assert roles == ["teacher 1 of 2", "teacher 2 of 2", ""]
    assert len(fitted.history["loss"]) == 2
    # The pictures in their order, each with what was made of its own label.
    (softened,) = told
    pixels, hard = faces.arrays(32, 0)
    for index, (picture, label) in enumerate(softened.as_numpy_iterator()):
        np.testing.assert_array_equal(picture, pixels[index])
        if "gender" in label:
            assert (label["gender"] >= 0.5) == (hard["gender"][index] == 1)
            assert 0 < label["gender"] < 1
        if "age" in label:
            years = np.atleast_1d(label["age"])
            assert len(years) == (118 if head == "distribution" else 1)
            assert years[0] != hard["age"][index]
    assert int(softened.cardinality()) == 32


def test_teachers_change_what_is_learned_and_the_seed_makes_it_again() -> None:
    def weights(**changes: object) -> np.ndarray:
        hyper = hyperparameters(**changes)
        keras.utils.set_random_seed(hyper.seed)
        val = dataset.plain_batches(faces.dataset(16, 1), 16)
        model = fitting.fit(
            "multitask_cnn", faces.SIZE, hyper, "float32", faces.dataset(32, 0), val
        ).model
        return np.concatenate([one.ravel() for one in model.get_weights()])

    np.testing.assert_array_equal(weights(), weights())
    assert not np.array_equal(weights(), weights(teachers=0))
