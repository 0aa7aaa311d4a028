"""A first run: nodes, artifacts, what is published, and what is on record of it."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2

from pipeline import record
from schema import features
from serving import versions
from tests.e2e import tracked
from tests.e2e.running import FACES, NODES, REJECTED, USED, agegender, card, explained, states


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
