import json
import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.lineage import Lineage, lineage
from pipeline.rollback import roll_back
from serving import versions
from tests.pipeline.past import CALIBRATION, Past


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Three runs: the second with other data, the third on the first's data and trainings again."""
    past = Past(tmp_path / "work")
    past.ingest("first", "/faces")
    past.train("first", "multitask_cnn", record_id="mlflow-1")
    assert past.publish("first", {"multitask": "Trainer_multitask_cnn"}) == 1
    of_first = dict(past.made)

    past.ingest("second", "/others")
    past.train("second", "gender_cnn")
    past.tune("second", "age_cnn")
    past.train("second", "age_cnn", seed=3)
    past.train("second", "multitask_cnn")
    past.pair("second")
    sources = {"specialists": "SpecialistPair", "multitask": "Trainer_multitask_cnn"}
    assert past.publish("second", sources) == 2

    past.made = of_first
    for node in ("FaceExampleGen", "ImportSchemaGen", "Transform", "Trainer_multitask_cnn"):
        past.reuse(node, "third")
    past.gate("third", "a pilot", "ann")
    past.train("third", "transfer_resnet50")
    sources = {"transfer_resnet50": "Trainer_transfer_resnet50"}
    assert past.publish("third", sources | {"multitask": "Trainer_multitask_cnn"}) == 3
    return past


def explained(past: Past, version: int) -> Lineage:
    return lineage(past.store, past.model_dir, version)


def runs_of(found: Lineage) -> dict[str, str]:
    return {trace.node: trace.run for trace in found.traces}


def test_a_version_is_explained_by_its_own_run(past: Past) -> None:
    found = explained(past, 1)
    assert found.origin.publication.run == "first"
    assert set(runs_of(found).values()) == {"first"}
    assert (found.data.source, found.data.fingerprint) == ("/faces", "of /faces")
    assert (found.data.found, found.data.used, found.data.rejected) == (10, 7, 3)
    assert found.data.reasons == {"duplicate": 2, "bad_name": 1}
    assert found.data.splits == {"train": 4, "val": 1, "calib": 0, "test": 2}
    assert found.data.gate
    assert (found.data.gate.passed, found.data.gate.accepted_by) == (True, "")
    assert found.data.store_size == 96
    (training,) = found.models
    assert (training.name, training.hyperparameters_from) == ("multitask_cnn", "checked in")
    assert (training.seconds, training.precision, training.seed) == (61.5, "float32", 0)
    assert found.calibration == CALIBRATION
    assert found.check.passed
    assert found.standing.champion_version == 0
    assert found.standing.row
    assert found.standing.row["thresholds"]["max_age_mae"]["margin"] == 1.91
    assert found.standing.thresholds["min_gender_accuracy"] == 0.9
    traces = {trace.node: trace for trace in found.traces}
    assert traces["Trainer_multitask_cnn"].mlflow_record == "mlflow-1"
    assert traces["Trainer_multitask_cnn"].code_fingerprint == "code of first"
    assert traces["FaceExampleGen"].mlflow_record is None
    for trace in found.traces:
        for artifact in trace.artifacts.values():
            (known,) = past.store.get_artifacts_by_id([artifact["id"]])
            # A publication's artifact is the version; its own folder is empty.
            assert artifact["uri"] == known.uri or trace.node == "Publisher"


def test_what_was_reused_is_explained_by_the_run_that_made_it(past: Past) -> None:
    found = explained(past, 3)
    runs = runs_of(found)
    assert found.candidate == "transfer_resnet50"
    assert [one.family for one in found.models] == ["transfer"]
    assert {runs[node] for node in ("FaceExampleGen", "ImportSchemaGen", "Transform")} == {"first"}
    assert {runs[node] for node in ("Trainer_transfer_resnet50", "DataGate")} == {"third"}
    assert "Trainer_multitask_cnn" not in runs  # another candidate, that did not win
    assert found.data.source == "/faces"
    assert found.data.gate
    assert not found.data.gate.passed
    assert found.data.gate.violated == ("female_share",)
    assert (found.data.gate.accepted_by, found.data.gate.reason) == ("ann", "a pilot")
    assert (found.standing.champion_version, found.standing.candidates) == (2, 2)


def test_a_pair_is_explained_by_both_trainings_and_a_search_by_its_trial(past: Past) -> None:
    found = explained(past, 2)
    assert [one.name for one in found.models] == ["gender_cnn", "age_cnn"]
    gender, age = found.models
    assert gender.search is None
    assert age.search
    assert age.hyperparameters_from == "tuned: trial 2 of 2"
    assert age.search.row
    assert (age.search.trial, age.search.row["score"]) == (2, 1.0)
    assert age.seed == 3
    assert {"Tuner_age_cnn", "SpecialistPair"} < runs_of(found).keys()


def test_what_a_person_cleaned_up_is_said_to_be_gone(past: Past) -> None:
    shutil.rmtree(past.workdir / "artifacts")
    for version in (1, 2, 3):
        found = explained(past, version)
        assert found.data.reasons is None
        assert found.data.used == 7  # which ML Metadata itself knows
        assert found.calibration is None
        assert found.standing.row is None
        assert found.standing.decision.endswith(" wins.")
        kept = {
            trace.node
            for trace in found.traces
            if all(artifact["kept"] for artifact in trace.artifacts.values())
        }
        assert kept == {"Publisher"}
        assert json.loads(found.to_json())["candidate"] == found.candidate
    checked_in, tuned = explained(past, 2).models
    assert checked_in.hyperparameters
    assert tuned.hyperparameters is None
    assert tuned.search
    assert (tuned.search.trial, tuned.search.row) == (2, None)


def test_a_rollback_is_explained_by_what_it_went_back_to(past: Past) -> None:
    roll_back(past.workdir, past.model_dir, 1, "ann", "bad days")
    roll_back(past.workdir, past.model_dir, 3, "bob", "better days")
    again = roll_back(past.workdir, past.model_dir, 4, "eve", "no")
    found = explained(past, again.version)
    assert [(one.version, one.source_version) for one in found.origin.rollbacks] == [(6, 4), (4, 1)]
    assert [one.who for one in found.origin.rollbacks] == ["eve", "ann"]
    assert (found.origin.publication.version, found.origin.publication.run) == (1, "first")
    assert not found.origin.copied
    assert explained(past, 5).origin.publication.version == 3
    told = json.loads(found.to_json())["origin"]["rollbacks"]
    assert (told[0]["why"], told[0]["source_version"]) == ("no", 4)


def test_a_run_that_found_the_version_serving_did_not_publish_it(past: Past) -> None:
    selected, checked = past.made["Selector"], past.made["ServableCheck"]
    past.push("fourth", selected["blessing"], checked["blessing"], 3, pushed=0)
    assert explained(past, 3).origin.publication.run == "third"


def test_a_copy_by_hand_is_known_by_its_content(past: Past) -> None:
    shutil.copytree(past.model_dir / "2", past.model_dir / "9")
    origin = explained(past, 9).origin
    assert (origin.copied, origin.publication.version) == (True, 2)


def test_what_is_not_on_record_is_one_line_of_what_is_known(past: Past) -> None:
    model_dir = past.model_dir

    def said(version: int) -> str:
        with pytest.raises(UserError) as refused:
            explained(past, version)
        assert refused.value.exit_code == 1
        assert "\n" not in str(refused.value)
        return str(refused.value)

    assert said(8).endswith("there are: 1, 2, 3")
    shutil.copytree(model_dir / "1", model_dir / "7")
    (model_dir / "7" / "saved_model.pb").write_bytes(b"of another work folder")
    assert "not on record here" in said(7)
    assert versions.content_digest(model_dir / "7")[:16] in said(7)
    rolled = roll_back(past.workdir, model_dir, 1, "ann", "why not")
    unknown = roll_back(past.workdir, model_dir, 7, "bob", "it was good")
    assert "bob rolled back to version 7" in said(unknown.version)
    assert "not on record before that" in said(unknown.version)
    (model_dir / "2" / "saved_model.pb").write_bytes(b"mended by hand")
    assert "was changed" in said(2)
    assert "by run second" in said(2)
    shutil.rmtree(model_dir / "3")
    assert "its folder is gone" in said(3)
    assert "by run third" in said(3)
    shutil.rmtree(model_dir / str(rolled.version))
    assert "ann rolled back to version 1" in said(rolled.version)
    (model_dir / "1" / "saved_model.pb").unlink()
    assert "not a whole SavedModel" in said(1)
    assert len(past.store.get_artifacts_by_type("PushedModel")) == 3
