"""A search and what it leads to: a version, a rollback, and nothing published."""

import json
from pathlib import Path

import pytest

from pipeline import record
from schema import features
from serving import versions
from tests.e2e import tracked
from tests.e2e.running import agegender, card, executed, explained, run
from trainer import trials

# Another training than the first run's, and a search before it.
TUNED = {
    "candidates": "[multitask]",
    "training__epochs": "3",
    "tuning__enabled": "true",
    "tuning__max_trials": "2",
    "tuning__epochs": "1",
    "tuning__only": "[learning_rate]",
}


@pytest.fixture(scope="module")
def tuned(first: tuple[Path, str], faces: Path) -> str:
    """What a run with a search printed, in the work folder of the first."""
    done = run(faces, first[0], **TUNED)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return done.stdout


def test_a_change_runs_only_what_depends_on_it(first: tuple[Path, str], tuned: str) -> None:
    assert "Trainer_multitask_cnn" in executed(first[0])
    assert not {"FaceExampleGen", "StatisticsGen", "Transform"} & executed(first[0])
    assert "hyperparameters changed" in tuned


def test_what_a_search_found_is_on_record_and_trained_with(
    first: tuple[Path, str], tuned: str
) -> None:
    assert "of 2 is best, val score" in tuned
    store = record.open_store(first[0] / "metadata.db")
    searched = record.node(store, "Tuner_multitask_cnn")
    trained = record.node(store, "Trainer_multitask_cnn")
    assert searched
    assert trained
    assert trained.inputs["hyperparameters"] == searched.outputs["best_hyperparameters"]
    results = searched.outputs["tuner_results"]
    assert (results.properties["trials"], results.properties["failed"]) == (2, 0)
    best = trials.ranked(trials.parse_lines((results.path / trials.TRIALS_FILE).read_text()))[0]
    assert results.properties["best_trial"] == best.number
    figures = json.loads((trained.outputs["model_run"].path / "figures.json").read_text())
    assert figures["hyperparameters_from"] == f"tuned: trial {best.number} of 2"
    used = figures["hyperparameters"]["learning_rate"]
    assert used == best.hyperparameters["learning_rate"]
    outer, *inside = tracked.tree(first[0])
    search = tracked.named(inside, "search multitask_cnn")
    assert search.data.tags["mlflow.parentRunId"] == outer.info.run_id
    tried = [tracked.named(inside, f"trial 0{number} multitask_cnn") for number in (1, 2)]
    assert {run.data.tags["mlflow.parentRunId"] for run in tried} == {search.info.run_id}
    assert {run.info.status for run in tried} == {"FINISHED"}
    told = tried[best.number - 1].data
    assert float(told.params["learning_rate"]) == used
    assert told.metrics["val_score"] == pytest.approx(best.score)
    assert tracked.curve(first[0], tried[0], "epoch/val_score") == [1]


@pytest.fixture(scope="module")
def rolled_back(first: tuple[Path, str], tuned: str) -> tuple[int, int]:
    """The version that was served after the search, and the one that a rollback put above it."""
    assert "Published version" in tuned
    model_dir = first[0] / "serving" / features.MODEL_NAME
    before = versions.list_versions(model_dir)[-1]
    done = agegender("rollback", "--workdir", str(first[0]), "--reason", "a drill")
    assert done.returncode == 0, done.stderr
    return before, versions.list_versions(model_dir)[-1]


def test_a_rollback_is_explained_by_the_run_whose_content_it_is(
    first: tuple[Path, str], rolled_back: tuple[int, int]
) -> None:
    searched, again = (explained(first[0], str(version)) for version in rolled_back)
    assert rolled_back[1] == rolled_back[0] + 1
    (done,) = again["origin"]["rollbacks"]
    assert (done["version"], done["why"]) == (rolled_back[1], "a drill")
    content = again["origin"]["publication"]
    assert (content["version"], content["content_digest"]) == (
        done["source_version"],
        done["content_digest"],
    )
    assert again["models"][0]["hyperparameters_from"] == "checked in"
    (training,) = searched["models"]
    assert training["hyperparameters_from"].startswith("tuned: trial ")
    assert training["search"]["row"]["number"] == training["search"]["trial"]
    runs = {trace["node"]: trace["run"] for trace in searched["traces"]}
    assert runs["Publisher"] == runs["Trainer_multitask_cnn"] != runs["Transform"]


def test_no_candidate_passes_and_nothing_is_published(
    faces: Path, first: tuple[Path, str], tuned: str, rolled_back: tuple[int, int]
) -> None:
    before = versions.list_versions(first[0] / "serving" / features.MODEL_NAME)
    done = run(faces, first[0], **TUNED | {"thresholds__max_age_mae": "0.01"})
    assert done.returncode == 3
    # Other thresholds are no other search, and no other training; nor is a rollback, which is seen.
    ran = executed(first[0])
    assert not {"Tuner_multitask_cnn", "Trainer_multitask_cnn"} & ran
    assert "Champion" in ran
    champion = record.node(record.open_store(first[0] / "metadata.db"), "Champion")
    assert champion
    assert champion.outputs["model"].properties["champion_version"] == rolled_back[1]
    found = next(line for line in tuned.splitlines() if line.startswith("Tuning "))
    assert found in done.stdout
    assert "is above 0.01" in done.stdout
    assert "**Not published: No candidate passed" in card(first[0])
    assert versions.list_versions(first[0] / "serving" / features.MODEL_NAME) == before
