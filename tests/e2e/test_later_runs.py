"""Runs after it: what is reused, and what the gate stops."""

import json
import shutil
from pathlib import Path

from pipeline import record
from schema import features
from serving import versions
from tests.e2e import tracked
from tests.e2e.running import card, executed, run, states


def test_later_runs_reuse_all_but_what_looks_at_the_world(
    first: tuple[Path, str], faces: Path
) -> None:
    second = run(faces, first[0])
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Already serving version 1" in second.stdout
    world = {
        *("Champion", "Evaluator_champion", "ModelReport_champion"),
        *("Selector", "ServableCheck", "Publisher", "ModelCard"),
    }
    assert executed(first[0]) == world
    assert "another version is served" in second.stdout
    made, *_ = (run for run in tracked.all_runs(first[0]) if "train multi" in run.info.run_name)
    (outer,) = tracked.tree(first[0])[:1]
    reused = json.loads(outer.data.tags["agegender.reused"])
    assert reused["Trainer_multitask_cnn"] == made.info.run_id
    third = run(faces, first[0])
    assert third.returncode == 0
    assert executed(first[0]) == set()
    assert "Already serving version 1" in third.stdout

    shutil.rmtree(first[0] / "serving" / features.MODEL_NAME / "1")
    fourth = run(faces, first[0])
    assert fourth.returncode == 0
    assert "Published version 2 at" in fourth.stdout
    assert "**Published as version 2.**" in card(first[0], "2")
    assert "Trainer_multitask_cnn" not in executed(first[0])


def test_the_gate_stops_a_run_before_anything_is_learned(
    first: tuple[Path, str], faces: Path
) -> None:
    before = versions.list_versions(first[0] / "serving" / features.MODEL_NAME)
    asked = {
        "expectations__female_share__at_least": "0.9",
        "expectations__female_share__at_most": "1",
        "expectations__oldest__at_least": "116.5",
    }
    stopped = run(faces, first[0], **asked)
    assert stopped.returncode == 4, stopped.stdout + stopped.stderr
    violated = [line for line in stopped.stdout.splitlines() if "must be" in line]
    assert [line.split(":")[0].strip() for line in violated] == ["female_share", "oldest"]
    assert "Traceback" not in stopped.stdout + stopped.stderr
    (outer,) = tracked.tree(first[0])
    assert outer.data.tags["state"] == "data gate"
    assert outer.info.status == "FAILED"
    ended = states(first[0])
    assert ended.pop("DataGate") == "FAILED"
    assert ended.pop("DataReport") == "COMPLETE"  # its page outlives the stop
    assert "Transform" not in ended
    assert versions.list_versions(first[0] / "serving" / features.MODEL_NAME) == before

    accepted = run(faces, first[0], "--accept-data", "--reason", "a drill", **asked)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert "DataGate" in executed(first[0])
    learning = {
        *("Transform", "Trainer_multitask_cnn", "Evaluator_multitask", "ModelReport_multitask"),
    }
    assert not learning & executed(first[0])  # nothing is learned twice
    gate = record.node(record.open_store(first[0] / "metadata.db"), "DataGate")
    assert gate
    assert gate.parameters["accept_reason"] == "a drill"
    approval = json.loads((gate.outputs["approval"].path / "approval.json").read_text())
    assert approval["violated"] == ["female_share", "oldest"]
    assert approval["reason"] == "a drill"
    assert approval["accepted_by"]


def test_data_unlike_the_accepted_ones_are_stopped(
    first: tuple[Path, str], faces: Path, tmp_path: Path
) -> None:
    shutil.copytree(faces, tmp_path / "women")
    for path in (tmp_path / "women").glob("*_0_?_*"):
        age, _, rest = path.name.split("_", 2)
        path.rename(path.with_name(f"{age}_1_{rest}"))
    lenient = {
        "expectations__female_share__at_most": "1",
        "expectations__female_share_per_split__at_most": "1",
    }
    stopped = run(tmp_path / "women", first[0], **lenient)
    assert stopped.returncode == 4, stopped.stdout + stopped.stderr
    violated = [
        line.split(":")[0].strip() for line in stopped.stdout.splitlines() if "must" in line
    ]
    assert violated == ["no_drift"]
    assert "gender" in stopped.stdout
    baseline = record.node(record.open_store(first[0] / "metadata.db"), "Baseline")
    assert baseline
    assert baseline.outputs["baseline_statistics"].properties["has_baseline"] == 1

    elsewhere = run(tmp_path / "women", tmp_path / "work", **lenient, training__epochs="1")
    assert elsewhere.returncode == 0, elsewhere.stdout  # alone they are sound
