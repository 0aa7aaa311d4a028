"""Searches: what a trial is, budgets, what survives a kill, and what becomes of failures."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.tuner import executor
from tfx.types import standard_artifacts

from pipeline.errors import UserError
from tests import faces
from trainer import dataset, fitting, frozen, progress, training, trials, tuning
from trainer.hyperparameters import Hyperparameters
from trainer.search import Tuning

MODEL = "multitask_cnn"
TOLD = {
    "architecture": {"widths": [4, 8], "dropout": 0.0},
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.02,
}
ALGORITHMS = ["random", "bayesian", "hyperband"]

Trained = list[Hyperparameters]


def arguments(folder: Path, told: dict[str, Any] | None = None, **search: Any) -> SimpleNamespace:
    """What TFX's Tuner hands over; the same data whenever it is called."""
    patterns = [str(folder / "data" / f"Split-{split}" / "*") for split in ("train", "val")]
    if not (folder / "data").exists():
        faces.write_transformed(folder / "data", {"train": 64, "val": 32})
    return SimpleNamespace(
        train_files=patterns[:1],
        eval_files=patterns[1:],
        working_dir=None,
        custom_config={
            "model": MODEL,
            "store_size": faces.SIZE,
            "hyperparameters": Hyperparameters.model_validate(TOLD | (told or {})).model_dump(
                mode="json"
            ),
            "tuning": Tuning(**search).model_dump(mode="json"),
            "tuning_dir": str(folder / "tuning"),
        },
    )


def search(folder: Path, **told: Any) -> tuning.FaceTuner:
    found = tuning.tuner_fn(arguments(folder, **told)).tuner  # type: ignore[arg-type]
    found.search()
    return found  # type: ignore[no-any-return]


def finished(folder: Path) -> list[trials.Trial]:
    (found,) = (folder / "tuning").glob("*/*")
    return trials.finished(found)


def curves(score: float, epochs: int) -> dict[str, list[float]]:
    names = ("loss", "val_score", "val_age_mae", "val_gender_accuracy")
    return {name: [score + 1] * (epochs - 1) + [score] for name in names}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The trainings asked for, none of which is run: the score is the learning rate."""
    asked: Trained = []

    def fitted(name: str, size: int, hyper: Hyperparameters, *data: Any) -> fitting.Fitted:
        del size, data
        progress.report(progress.Progress(name, 0, hyper.epochs, 1, 1, {}))
        asked.append(hyper)
        return fitting.Fitted(None, curves(hyper.learning_rate, hyper.epochs), 0, None)

    monkeypatch.setattr(training, "fitted", fitted)
    monkeypatch.setattr(keras.backend, "clear_session", lambda: None)  # seconds, for nothing
    return asked


def failing(monkeypatch: pytest.MonkeyPatch, how: Callable[[int], None]) -> None:
    """Makes the trainings fail that `how` raises for, by number from 1."""
    fitted, count = training.fitted, iter(range(1, 100))

    def maybe(*arguments: Any) -> fitting.Fitted:
        how(next(count))
        return fitted(*arguments)

    monkeypatch.setattr(training, "fitted", maybe)


def test_a_trial_is_a_training_and_the_first_is_what_is_checked_in(tmp_path: Path) -> None:
    only = ["learning_rate", "dropout"]
    found = search(tmp_path, max_trials=2, only=only, space={"dropout": [0.2]})
    first, second = finished(tmp_path)
    assert first.hyperparameters == {"learning_rate": 0.02, "dropout": 0.0}
    assert second.hyperparameters != first.hyperparameters
    told = arguments(tmp_path)
    train = training.load(told.train_files, "train", faces.SIZE)
    val = dataset.plain_batches(training.load(told.eval_files, "val", faces.SIZE), 256)
    again = training.fitted(MODEL, faces.SIZE, Hyperparameters.model_validate(TOLD), train, val)
    for name, values in again.history.items():
        assert first.curves[name] == pytest.approx(values, rel=1e-5)
    for trial in (first, second):
        assert trial.status == "completed"
        assert trial.score == min(s for s in trial.curves["val_score"] if s)
        assert trial.age_mae in trial.curves["val_age_mae"]
        assert trial.epochs == len(trial.curves["loss"]) == 2
    best = found.get_best_hyperparameters()[0].values
    assert best["trial"] == trials.ranked([first, second])[0].number
    assert best["trials"] == 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tfx_writes_the_best_whatever_the_algorithm(
    algorithm: str, trained: Trained, tmp_path: Path
) -> None:
    found = search(tmp_path, algorithm=algorithm, max_trials=9, told={"learning_rate": 0.005})
    outputs = {
        "best_hyperparameters": [standard_artifacts.HyperParameters()],
        "tuner_results": [standard_artifacts.TunerResults()],
    }
    for name, (artifact,) in outputs.items():
        artifact.uri = str(tmp_path / name)
    executor.write_best_hyperparameters(found, outputs)
    best = json.loads((tmp_path / "best_hyperparameters/best_hyperparameters.txt").read_text())
    ranked = trials.ranked(finished(tmp_path))
    assert len(trained) == len(ranked) == 9
    assert best["values"]["learning_rate"] == min(hyper.learning_rate for hyper in trained)
    assert best["values"]["trial"] == ranked[0].number
    assert trained[0].learning_rate == 0.005


def test_hyperband_gives_good_trials_more_epochs_and_what_is_checked_in_all(
    trained: Trained, tmp_path: Path
) -> None:
    search(tmp_path, algorithm="hyperband", max_trials=13, epochs=9)
    first, *others = finished(tmp_path)
    assert first.epochs == 9
    few = [trial for trial in others if trial.epochs == 1]
    more = [trial for trial in others if trial.epochs == 3]
    assert len(few) > len(more) > 0
    kept = sorted(trial.hyperparameters["learning_rate"] for trial in few)[: len(more)]
    assert sorted(trial.hyperparameters["learning_rate"] for trial in more) == kept
    assert [hyper.epochs for hyper in trained] == [trial.epochs for trial in [first, *others]]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_killed_search_goes_on_with_its_finished_trials(
    algorithm: str, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(tmp_path / "whole", algorithm=algorithm, max_trials=8)
    whole = list(trained)
    trained.clear()

    def killed(number: int) -> None:
        if number == 4:
            raise KeyboardInterrupt  # as a kill, nothing in KerasTuner or here catches it

    with monkeypatch.context() as once:
        failing(once, killed)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "killed", algorithm=algorithm, max_trials=8)
    assert trials.read_search(next((tmp_path / "killed/tuning").glob("*/*"))).ended == ""
    search(tmp_path / "killed", algorithm=algorithm, max_trials=8)
    assert len(finished(tmp_path / "killed")) == 8
    if algorithm == "bayesian":
        assert trained[:4] == whole[:4]  # its own dice are not kept
    else:
        assert trained == whole


def test_a_larger_budget_goes_on_and_a_spent_one_trains_nothing(
    trained: Trained, tmp_path: Path
) -> None:
    for _ in range(2):
        search(tmp_path, max_trials=2, algorithm="random")
        assert len(trained) == 2
    found = search(tmp_path, max_trials=12, algorithm="random")
    assert len(trained) == 12
    assert [trial.number for trial in finished(tmp_path)] == list(range(1, 13))
    assert trials.read_search(found.folder).ended == "tuning.max_trials=12 was reached"


def test_trials_are_trained_without_teachers(trained: Trained, tmp_path: Path) -> None:
    search(tmp_path, max_trials=2, algorithm="random", told={"teachers": 2})
    assert [hyper.teachers for hyper in trained] == [0, 0]


def test_the_time_of_earlier_searches_counts_and_ends_a_trial_within(
    trained: Trained, tmp_path: Path
) -> None:
    found = search(tmp_path, max_trials=2)
    trials.spend(found.folder, 59.999)
    progress_of_third = len(trained)
    found = search(tmp_path, max_trials=9, max_minutes=1)
    assert len(trained) <= progress_of_third + 1
    ended = "tuning.max_minutes=1 were spent"
    assert trials.read_search(found.folder).ended == ended
    trials.spend(found.folder, 61)
    begun = len(trained)
    search(tmp_path, max_trials=9, max_minutes=1)
    assert len(trained) == begun
    # The cut trial was no trial: with more time it is trained, and then goes on.
    search(tmp_path, max_trials=9, max_minutes=2)
    assert len(finished(tmp_path)) == 9


def test_time_that_is_up_before_the_first_trial_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"max_minutes=0.0001 were spent before a trial") as caught:
        search(tmp_path, max_minutes=0.0001)
    assert "\n" not in str(caught.value)


def test_a_failed_trial_is_reported_and_the_search_goes_on(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmore")
        if number == 3:
            raise ValueError("no such luck\nat all")

    failing(monkeypatch, fail)
    search(tmp_path, max_trials=5)
    failed = trials.failed(finished(tmp_path))
    assert [(trial.number, trial.reason) for trial in failed] == [
        (2, "out of memory: OOM when allocating"),
        (3, "ValueError: no such luck"),
    ]
    assert len(trials.ranked(finished(tmp_path))) == 3
    search(tmp_path, max_trials=6)
    assert len(trained) == 4  # the failed ones are not tried again


def test_a_training_that_diverges_is_a_failed_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.5, float("nan")])
    monkeypatch.setattr(
        training, "fitted", lambda *_: fitting.Fitted(None, curves(next(scores), 1), 0, None)
    )
    search(tmp_path, max_trials=2)
    (failed,) = trials.failed(finished(tmp_path))
    assert failed.reason == "it diverged in its first epoch"
    assert failed.curves["loss"] == [None]


def test_without_a_completed_trial_it_fails_with_the_first_reason(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int) -> None:
        raise UserError(f"weights {number} are missing")

    failing(monkeypatch, fail)
    with pytest.raises(UserError, match=r"none of 3 .* trial 1: weights 1 are missing") as caught:
        search(tmp_path, max_trials=9)
    assert "\n" not in str(caught.value)
    assert trained == []


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_a_share_of_train_is_of_all_ages(share: float) -> None:
    pixels, labels = faces.arrays(100, 0)
    labels["age"].sort()  # as files are whose names begin with the age
    examples = tf.data.Dataset.from_tensor_slices((pixels, labels))
    some = dataset.evenly(examples, share)
    seen = [float(label["age"]) for _, label in some]
    assert len(seen) == int(some.cardinality()) == round(100 * share)
    assert seen == sorted(set(seen))
    if len(seen) > 1:
        assert np.quantile(seen, [0, 0.5, 1]) == pytest.approx(
            np.quantile(labels["age"], [0, 0.5, 1]), abs=5
        )


def test_another_search_has_another_folder_and_another_budget_has_not(tmp_path: Path) -> None:
    def folder(told: dict[str, Any] | None = None, **search: Any) -> str:
        made = tuning.tuner_fn(arguments(tmp_path, told, **search)).tuner  # type: ignore[arg-type]
        return str(made.folder)

    base = folder()
    assert folder(max_trials=3, max_minutes=5) == base
    others = [
        folder({"epochs": 9}),
        folder(seed=1),
        folder(algorithm="random"),
        folder(only=["dropout"]),
        folder(space={"dropout": [0.1]}),
        folder(train_share=0.5),
    ]
    one, other = (next((tmp_path / "data" / f"Split-{s}").iterdir()) for s in ("val", "train"))
    one.write_bytes(other.read_bytes())
    assert len({base, folder(), *others}) == len(others) + 2


def test_features_of_a_frozen_backbone_are_computed_once_for_all_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.trainer.test_transfer import NAME, tiny
    from trainer.families.backbones import BACKBONES, Backbone

    monkeypatch.setitem(BACKBONES, "vgg16", Backbone(tiny, BACKBONES["mobilenet_v2"].preprocess))
    tiny(None, False, (32, 32, 3)).save_weights(tmp_path / "tiny.weights.h5")
    seen: list[int] = []
    embed = frozen.embed

    def counted(*arguments: Any, **named: Any) -> frozen.Embedded:
        seen.append(1)
        return embed(*arguments, **named)

    monkeypatch.setattr(frozen, "embed", counted)
    transfer = {"weights": str(tmp_path / "tiny.weights.h5"), "frozen_epochs": 2, "unfrozen": 0.0}
    told = arguments(tmp_path, {"transfer": transfer}, max_trials=3, only=["learning_rate"])
    told.custom_config["model"] = NAME
    tuning.tuner_fn(told).tuner.search()  # type: ignore[arg-type]
    assert len(seen) == 2  # train and val
    assert len({trial.score for trial in finished(tmp_path)}) == 3
