import json
from pathlib import Path

from components.recorder.logic import input_key, node_runs, past
from pipeline.record import Artifact
from trainer import trials


def test_every_node_is_given_back_its_own_outputs() -> None:
    fed = {
        input_key("Trainer_age_cnn", "model_run"): Artifact(1, "/a", {}),
        input_key("Selector", "blessing"): Artifact(2, "/b", {"blessed": 1}),
        input_key("model", "multitask"): Artifact(3, "/c", {}),
    }
    nodes = ["FaceExampleGen", "Trainer_age_cnn", "Selector"]
    runs = node_runs(nodes, fed, {"data_uri": "/faces"})
    assert list(runs) == nodes
    assert all(run.succeeded for run in runs.values())
    assert runs["FaceExampleGen"].parameters == {"data_uri": "/faces"}
    assert runs["Trainer_age_cnn"].outputs["model_run"].uri == "/a"
    assert runs["Selector"].outputs["blessing"].properties == {"blessed": 1}
    assert runs["Selector"].inputs["model_multitask"].uri == "/c"


def test_epochs_and_trials_are_told_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(json.dumps({"loss": [3.0, 2.0], "val_loss": [4.0, 5.0]}))
    found = [
        trials.Trial(
            number=n,
            status="completed",
            hyperparameters={"dropout": 0.1 * n},
            epochs=2,
            seconds=1.0,
            curves={"loss": [1.0, None]},
        )
        for n in (1, 2)
    ]
    failed = found[0].model_copy(update={"number": 3, "status": "failed", "curves": {}})
    found.append(failed)
    (tmp_path / trials.TRIALS_FILE).write_text(trials.as_lines(found))
    fed = {
        input_key("Trainer_age_cnn", "model_run"): Artifact(1, str(tmp_path), {}),
        input_key("Tuner_age_cnn", "tuner_results"): Artifact(2, str(tmp_path), {}),
    }
    runs = node_runs(["Tuner_age_cnn", "Trainer_age_cnn", "Publisher"], fed, {})
    trained = list(past("Trainer_age_cnn", runs["Trainer_age_cnn"]))
    assert [(one.model, one.epoch, one.logs) for one in trained] == [
        ("age_cnn", 1, {"loss": 3.0, "val_loss": 4.0}),
        ("age_cnn", 2, {"loss": 2.0, "val_loss": 5.0}),
    ]
    tried = list(past("Tuner_age_cnn", runs["Tuner_age_cnn"]))
    assert [(one.search and one.search.trial, one.epoch, one.logs) for one in tried] == [
        *((1, 1, {"loss": 1.0}), (1, 2, {}), (2, 1, {"loss": 1.0}), (2, 2, {}), (3, 0, {})),
    ]
    assert not list(past("Publisher", runs["Publisher"]))
