"""The whole graph on tiny drawn data: artifacts, ML Metadata, reuse, recovery, exit codes."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_metadata.proto.v0 import anomalies_pb2

from pipeline import record
from schema import features
from serving import versions
from tests.e2e import tracked
from trainer import trials

FACES = 160
# Of them one is there twice, and one contradicts its copy.
USED, REJECTED = FACES - 1, 5
# Thresholds anything passes: what is tested here is the machinery, not the model.
TINY = {
    "candidates": "[specialists, multitask]",  # a backbone's graph would take most of the time
    "image.store_size": "24",
    "data.shards": "2",
    "training.epochs": "2",
    "report.robustness_faces": "8",
    "training.architecture.widths": "[8,16]",
    "thresholds.max_age_mae": "100",
    "thresholds.min_gender_accuracy": "0.01",
    "selection.tolerance": "100",
    "expectations.min_examples.at_least": "5",
    "expectations.min_per_age_group_and_gender.at_least": "0",
    "expectations.female_share_per_split.at_least": "0.1",
    "expectations.female_share_per_split.at_most": "0.9",
}
NODES = [
    "FaceExampleGen",
    "ImportSchemaGen",
    "StatisticsGen",
    "ExampleValidator",
    "Baseline",
    "SplitValidator",
    "DriftValidator",
    "DataReport",
    "DataGate",
    "Transform",
    "Trainer_gender_cnn",
    "Trainer_age_cnn",
    "Trainer_multitask_cnn",
    "SpecialistPair",
    "Champion",
    "Evaluator_champion",
    "Evaluator_specialists",
    "Evaluator_multitask",
    "ModelReport_champion",
    "ModelReport_specialists",
    "ModelReport_multitask",
    "Selector",
    "ServableCheck",
    "Publisher",
    "ModelCard",
]


def command(data: Path, workdir: Path, *options: str, **changes: str) -> list[str]:
    settings = TINY | {key.replace("__", "."): value for key, value in changes.items()}
    assignments = [part for item in settings.items() for part in ("--set", "=".join(item))]
    return [
        *(sys.executable, "-m", "pipeline", "run", "--profile", "sample"),
        *("--data", str(data), "--workdir", str(workdir), *assignments, *options),
    ]


def run(
    data: Path, workdir: Path, *options: str, **changes: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        command(data, workdir, *options, **changes), capture_output=True, text=True, env=environment
    )


def states(workdir: Path) -> dict[str, str]:
    store = record.open_store(workdir / "metadata.db")
    last = record.last_run(store)
    assert last
    return {name: node.state for name, node in record.nodes(store, last).items()}


def executed(workdir: Path) -> set[str]:
    return {name for name, state in states(workdir).items() if state != "CACHED"}


def agegender(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Another command than run."""
    asked = [sys.executable, "-m", "pipeline", *arguments]
    environment = os.environ | {"COLUMNS": "80", "NO_COLOR": "1"}
    return subprocess.run(asked, capture_output=True, text=True, env=environment)


def explained(workdir: Path, *version: str) -> dict[str, Any]:
    """What `agegender explain` knows of a version, the newest if none is given."""
    done = agegender("explain", *version, "--workdir", str(workdir), "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pipeline.sample import write_sample

    folder = tmp_path_factory.mktemp("faces")
    write_sample(folder / "drawn", FACES, 0)
    (folder / "drawn" / "notes.txt").write_text("not a picture")
    (folder / "drawn" / "30_1_20170101000000000.jpg").write_bytes(b"no race in the name")
    first, second, *_ = sorted((folder / "drawn").glob("*.chip.jpg"))
    shutil.copy(first, first.with_name(f"{first.name.partition('_2')[0]}_copy.jpg"))
    age, gender, rest = second.name.split("_", 2)
    shutil.copy(second, second.with_name(f"{age}_{1 - int(gender)}_{rest}"))
    return folder / "drawn"


@pytest.fixture(scope="module")
def first(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The work folder of a finished first run, and what it printed."""
    workdir = tmp_path_factory.mktemp("first") / "work"
    done = run(faces, workdir)
    assert done.returncode == 0, done.stdout + done.stderr
    return workdir, done.stdout


def test_a_first_run_runs_every_node_and_says_so(first: tuple[Path, str]) -> None:
    workdir, said = first
    assert states(workdir) == dict.fromkeys(states(workdir), "COMPLETE")
    assert sorted(states(workdir)) == sorted(NODES)
    assert [node for node in NODES if f"✓ {node} " not in said] == []
    assert f"Files: {USED} used, {REJECTED} rejected" in said
    assert "2 label_conflict" in said
    assert "1 duplicate" in said
    assert "Data gate: passed" in said
    assert "30_1_20170101000000000.jpg" in said
    assert "constant" in said
    assert "Published version 1 at" in said
    assert "WARNING" not in said
    assert "tensorflow" not in said.lower()


def test_the_artifacts_are_what_the_contract_says(first: tuple[Path, str]) -> None:
    workdir, _ = first
    store = record.open_store(workdir / "metadata.db")
    last = record.last_run(store)
    assert last
    nodes = record.nodes(store, last)
    examples = nodes["FaceExampleGen"].outputs["examples"].path
    splits = {split: _records(examples / f"Split-{split}") for split in features.SPLITS}
    assert sum(len(records) for records in splits.values()) == USED
    digests = [
        {example.features.feature[features.IMAGE_SHA256].bytes_list.value[0] for example in records}
        for records in splits.values()
    ]
    assert len(set.union(*digests)) == sum(len(found) for found in digests)
    transformed = nodes["Transform"].outputs["transformed_examples"].path
    assert {folder.name for folder in transformed.iterdir()} == {
        f"Split-{split}" for split in ("train", "val", "calib")
    }
    anomalies = nodes["ExampleValidator"].outputs["anomalies"].path
    found = [anomalies_pb2.Anomalies.FromString(p.read_bytes()) for p in anomalies.rglob("*.pb")]
    assert len(found) == len(features.SPLITS)
    assert [dict(one.anomaly_info) for one in found] == [{}] * len(found)
    assert nodes["Baseline"].outputs["baseline_statistics"].properties["has_baseline"] == 0
    verdict = nodes["DataReport"].outputs["verdict"]
    assert verdict.properties["violated"] == 0
    assert (verdict.path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    figures = nodes["Trainer_multitask_cnn"].outputs["model_run"].path / "figures.json"
    assert 0 < json.loads(figures.read_text())["val"]["age_mae"] < 116


def _records(folder: Path) -> list[tf.train.Example]:
    files = [str(path) for path in sorted(folder.glob("*.gz"))]
    assert len(files) == 2
    dataset = tf.data.TFRecordDataset(files, compression_type="GZIP")
    return [tf.train.Example.FromString(record.numpy()) for record in dataset]


def test_a_run_is_on_record_in_mlflow_as_one_tree(first: tuple[Path, str], faces: Path) -> None:
    workdir = first[0]
    outer, *inside = tracked.tree(workdir)
    assert {run.info.run_name.partition(" ·")[0] for run in inside} == {
        *(f"train {model}" for model in ("gender_cnn", "age_cnn", "multitask_cnn")),
        *(f"evaluate {one}" for one in ("champion", "specialists", "multitask")),
    }
    assert {run.info.status for run in (outer, *inside)} == {"FINISHED"}
    assert outer.data.tags["state"] == "published"
    assert outer.data.tags["exit_code"] == "0"
    assert outer.data.params["training.epochs"] == "2"
    assert outer.data.metrics["data/used"] == USED
    assert outer.data.metrics["data/rejected/label_conflict"] == 2
    board = json.loads((tracked.artifacts(outer) / "leaderboard/leaderboard.json").read_text())
    best = board["candidates"][0]
    assert outer.data.metrics["test/age_mae"] == pytest.approx(best["test"]["age_mae"])
    assert outer.data.metrics["score"] == pytest.approx(best["score"])
    (given,) = outer.inputs.dataset_inputs
    assert given.dataset.name == faces.name
    assert (tracked.artifacts(outer) / "data/report.html").exists()

    training = tracked.named(inside, "train multitask_cnn")
    assert tracked.curve(workdir, training, "epoch/val_age_mae") == [1, 2]
    assert training.data.params["architecture.widths"] == "[8, 16]"
    evaluation = tracked.named(inside, "evaluate multitask")
    overall = evaluation.data.metrics["test/age_mae"]
    low, high = (evaluation.data.metrics[f"test/age_mae_{end}"] for end in ("low", "high"))
    assert low < overall < high
    women = evaluation.data.metrics["slice/gender/female/examples"]
    assert 0 < women < evaluation.data.metrics["test/examples"]
    assert list((tracked.artifacts(evaluation) / "report").glob("*.png"))

    # Either store leads to the other.
    store = record.open_store(workdir / "metadata.db")
    node = record.node(store, "Trainer_multitask_cnn")
    assert node
    assert training.data.tags["mlmd.execution_id"] == str(node.execution_id)
    assert record.marked_maker(store, node) == training.data.tags["agegender.record"]
    assert list((workdir / "mlflow" / "journals").iterdir()) == []  # all is delivered


def test_the_champion_in_the_registry_answers_as_what_is_served(
    first: tuple[Path, str], faces: Path
) -> None:
    pictures = [str(path) for path in sorted(faces.glob("*.chip.jpg"))[:5]]
    answer = tracked.champion(first[0]).predict(pictures)
    served = tf.saved_model.load(str(first[0] / "serving" / features.MODEL_NAME / "1"))
    encoded = [Path(path).read_bytes() for path in pictures]
    expected = served.signatures["serving_default"](image_bytes=tf.constant(encoded))
    for name in ("age", "age_low", "age_high", "female_probability"):
        np.testing.assert_allclose(answer[name], expected[name], atol=1e-5)
    assert [one.encode() for one in answer["gender"]] == list(expected["gender"].numpy())


def test_every_candidate_is_reported_on_and_compared(first: tuple[Path, str]) -> None:
    workdir, said = first
    page = next(
        line.partition(": ")[2] for line in said.splitlines() if line.startswith("Leaderboard")
    )
    assert Path(page).read_text(encoding="utf-8").count("data:image/png;base64,") == 2 * 12 + 10
    board = json.loads(Path(page).with_name("leaderboard.json").read_text())
    for row in (*board["candidates"], board["champion"]):
        assert row["model"]["latency_ms"] > 0
        assert row["model"]["images_per_second"] > 0
    folder = workdir / "artifacts" / "ModelReport_specialists" / "report"
    (answers,) = folder.glob("*/answers.jsonl.gz")
    lines = [json.loads(line) for line in gzip.decompress(answers.read_bytes()).splitlines()]
    errors = [abs(line["answer"]["age"] - line["age"]) for line in lines]
    (row,) = (row for row in board["candidates"] if row["name"] == "specialists")
    assert len(lines) == row["test"]["examples"]
    assert np.mean(errors) == pytest.approx(row["test"]["age_mae"], rel=1e-4)


def test_the_published_model_answers(first: tuple[Path, str], faces: Path) -> None:
    served = versions.latest(first[0] / "serving" / features.MODEL_NAME)
    assert served
    assert (served / "assets.extra" / "tf_serving_warmup_requests").exists()
    model = tf.saved_model.load(str(served))
    pictures = [path.read_bytes() for path in sorted(faces.glob("*.chip.jpg"))[:5]]
    answer = model.signatures["serving_default"](image_bytes=tf.constant(pictures))
    assert set(answer) == set(features.OUTPUTS)
    low, age, high = (
        answer[name] for name in (features.OUT_AGE_LOW, features.OUT_AGE, features.OUT_AGE_HIGH)
    )
    assert (low.numpy() <= age.numpy()).all()
    assert (age.numpy() <= high.numpy()).all()
    alone = model.signatures["serving_default"](image_bytes=tf.constant(pictures[:1]))
    np.testing.assert_allclose(alone[features.OUT_AGE], age[:1], atol=1e-3)


def test_the_published_version_can_be_explained(first: tuple[Path, str], faces: Path) -> None:
    found = explained(first[0], "1")
    assert (found["data"]["source"], found["data"]["used"]) == (str(faces), USED)
    assert found["data"]["reasons"]["label_conflict"] == 2
    assert sum(found["data"]["splits"].values()) == USED
    assert found["data"]["gate"]["passed"]
    assert found["standing"]["row"]["rank"] == 1
    assert found["calibration"]["gender"]["temperature"] > 0
    assert found["check"]["passed"]
    for training in found["models"]:
        assert training["hyperparameters_from"] == "checked in"
        assert training["hyperparameters"]["epochs"] == 2
        assert training["seconds"] > 0
    traces = {trace["node"]: trace for trace in found["traces"]}
    assert {trace["run"] for trace in traces.values()} == {found["origin"]["publication"]["run"]}
    assert all(
        artifact["kept"] for one in traces.values() for artifact in one["artifacts"].values()
    )
    ours = {name for name, trace in traces.items() if trace["code_fingerprint"]}
    assert {"FaceExampleGen", "Transform", "Selector", "ServableCheck", "Publisher"} < ours
    assert {f"Evaluator_{found['candidate']}", "DataGate"} < ours
    said = agegender("explain", "1", "--workdir", str(first[0])).stdout
    assert max(map(len, said.splitlines())) <= 80
    assert f"{USED} used, {REJECTED} rejected" in said


def card(workdir: Path, *version: str) -> str:
    asked = [sys.executable, "-m", "pipeline", "card", *version, "--workdir", str(workdir)]
    done = subprocess.run([*asked, "--markdown"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_published_model_has_its_card(first: tuple[Path, str], tmp_path: Path) -> None:
    workdir, said = first
    made = record.node(record.open_store(workdir / "metadata.db"), "ModelCard")
    assert made
    artifact = made.outputs["card"]
    assert f"Model card: {artifact.path / 'card.html'}" in said
    served = versions.latest(workdir / "serving" / features.MODEL_NAME)
    assert served
    assert artifact.properties["content_digest"] == versions.content_digest(served)
    assert artifact.properties["version"] == 1
    text = card(workdir)
    assert text == card(workdir, "1") == (artifact.path / "card.md").read_text(encoding="utf-8")
    assert "**Published as version 1.**" in text
    assert f"of {FACES + 4} files {USED} were used" in text
    assert str(workdir) not in text
    page = tmp_path / "card.html"
    asked = [sys.executable, "-m", "pipeline", "card", "--workdir", str(workdir)]
    subprocess.run([*asked, "--html", str(page)], check=True)
    assert page.read_bytes() == (artifact.path / "card.html").read_bytes()
    assert str(workdir) not in page.read_text(encoding="utf-8")
    missing = subprocess.run([*asked, "7"], capture_output=True, text=True)
    assert (missing.returncode, "no version 7; there are: 1" in missing.stderr) == (1, True)


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


@pytest.mark.slow
def test_a_killed_search_goes_on_with_its_finished_trials(faces: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    asked = {
        "candidates": "[multitask]",
        "tuning__enabled": "true",
        "tuning__max_trials": "4",
        "tuning__epochs": "20",
    }
    process = subprocess.Popen(
        command(faces, workdir, **asked), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not list(workdir.glob("tuning/*/*/trial_1/trial.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in workdir.glob("tuning/*/*/*/record.json")}
    assert len(before) == 1
    again = run(faces, workdir, **asked)
    assert again.returncode in (0, 3), again.stdout + again.stderr
    assert "of 4 is best" in again.stdout
    assert len(list(workdir.glob("tuning/*"))) == 1
    for path, written in before.items():
        assert path.stat().st_mtime_ns == written


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


@pytest.mark.parametrize(
    "node",
    [
        "Trainer_multitask_cnn",
        *(
            pytest.param(node, marks=pytest.mark.slow)
            for node in ("FaceExampleGen", "StatisticsGen", "Transform", "ServableCheck")
        ),
    ],
)
def test_a_run_killed_in_a_node_is_finished_by_the_next(
    faces: Path, first: tuple[Path, str], tmp_path: Path, node: str
) -> None:
    workdir = tmp_path / "work"
    process = subprocess.Popen(
        command(faces, workdir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    store = _wait_for_node(workdir, node, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = record.node(store, node)
    assert killed
    assert killed.state == "RUNNING"
    again = run(faces, workdir)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"✓ {node}" in again.stdout
    assert ("= FaceExampleGen" in again.stdout) == (node != "FaceExampleGen")
    assert _figures(workdir) == _figures(first[0])


def _figures(workdir: Path) -> dict[str, float]:
    """The val figures of the first finished training."""
    runs = workdir.glob("artifacts/Trainer_multitask_cnn/model_run/*/figures.json")
    return json.loads(min(runs, key=lambda p: int(p.parent.name)).read_text())["val"]  # type: ignore[no-any-return]


def _wait_for_node(
    workdir: Path, node: str, process: subprocess.Popen[bytes]
) -> record.MetadataStore:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if (workdir / "artifacts" / node).exists():
            return record.open_store(workdir / "metadata.db")
        time.sleep(0.05)
    raise AssertionError(f"{node} never started; exit code {process.poll()}")


def test_data_without_any_usable_picture_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "30_1_2_20170101000000000.jpg").write_bytes(b"not a picture")
    done = run(tmp_path / "data", tmp_path / "work")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert str(tmp_path / "data") in done.stdout + done.stderr


@pytest.mark.real_data
def test_real_pictures_go_all_the_way(utkface: Path, tmp_path: Path) -> None:
    done = run(utkface, tmp_path / "work", data__limit="300")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Published version 1 at" in done.stdout
    picture = Image.new("RGB", (200, 200), (128, 100, 90))
    picture.save(tmp_path / "grey.png")
    served = versions.latest(tmp_path / "work" / "serving" / features.MODEL_NAME)
    model = tf.saved_model.load(str(served))
    answer = model.signatures["serving_default"](
        image_bytes=tf.constant([(tmp_path / "grey.png").read_bytes()])
    )
    assert 0 <= float(answer[features.OUT_AGE][0]) <= 116
