"""The Selector in a pipeline of its own, fed by importers."""

import base64
import json
import math
from pathlib import Path

import pytest

from components.model_report import report
from components.selector.logic import Thresholds
from components.selector.slices import Limit, SliceLimits

THRESHOLDS = Thresholds(max_age_mae=8, min_gender_accuracy=0.8)


def write_model(uri: Path, content: str) -> None:
    """What the Selector needs of a SavedModel: files."""
    servable = uri / "Format-Serving"
    (servable / "variables").mkdir(parents=True)
    (servable / "saved_model.pb").write_text(content)
    (servable / "variables" / "variables.index").write_text(content)


def write_evaluation(uri: Path, slices: dict, above: float | None = None) -> None:
    """An Evaluator's output; `above` is a limit that age_mae broke."""
    import tensorflow as tf
    from tensorflow_model_analysis.proto import metrics_for_slice_pb2, validation_result_pb2

    uri.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(uri / "metrics-00000-of-00001.tfrecord")) as writer:
        for (column, value), figures in slices.items():
            record = metrics_for_slice_pb2.MetricsForSlice()
            if column:
                record.slice_key.single_slice_keys.add(column=column, int64_value=value)
            for name, figure in figures.items():
                item = record.metric_keys_and_values.add()
                item.key.name = name
                item.value.double_value.value = figure
            writer.write(record.SerializeToString())
    result = validation_result_pb2.ValidationResult(validation_ok=above is None)
    if above is not None:
        failure = result.metric_validations_per_slice.add().failures.add()
        failure.metric_key.name = "age_mae"
        failure.metric_value.double_value.value = slices["", 0]["age_mae"]
        failure.metric_threshold.value_threshold.upper_bound.value = above
    with tf.io.TFRecordWriter(str(uri / "validations.tfrecord")) as writer:
        writer.write(result.SerializeToString())


def write_report(uri: Path, latency_ms: float) -> None:
    """What ModelReport writes of a model, as far as the Selector shows it."""
    uri.mkdir(parents=True)
    (uri / "ages.png").write_bytes(b"a picture")
    row = {"change": "as found", "strength": "", "age_mae": 6.0, "age_shift": 0.0}
    report.write(
        uri,
        {
            "name": uri.name,
            "faces": 90,
            "pictures": [{"file": "ages.png", "title": "Ages", "caption": "", "wide": False}],
            "speed": {
                "latency_ms": latency_ms, "images_per_second": 100.0, "batch": 32, "calls": 10,
                "batches": 10, "cores": 1, "cpu": "a processor",
            },
            "robustness": {
                "faces": 50,
                "seed": 0,
                "rows": [row | {"gender_accuracy": 0.9, "age_coverage": math.nan}],
            },
        },
    )  # fmt: skip


def figures(age_mae, gender_accuracy):
    return {"age_mae": age_mae, "gender_accuracy": gender_accuracy}


@pytest.fixture
def inputs(tmp_path):
    """Two candidates and the constant predictor; `plain` scores better but broke a threshold."""
    root = tmp_path / "inputs"
    for name, val, test, above in (
        ("transfer_tiny", figures(5, 0.9), figures(6, 0.9), None),
        ("plain", figures(4, 0.9), figures(9, 0.9), 8),
    ):
        write_model(root / f"model_{name}", name)
        run = root / f"model_run_{name}"
        run.mkdir()
        (run / "figures.json").write_text(
            json.dumps({"val": val, "parameters": 1000, "seconds": 2.5})
        )
        of_women = figures(7, 0.85) | {"gender_auc": math.nan, "examples": 50.0}
        slices = {("", 0): test, ("gender", 1): of_women}
        write_evaluation(root / f"evaluation_{name}", slices, above)
        (root / f"blessing_{name}").mkdir()
        write_report(root / f"report_{name}", 12.5)
    write_model(root / "champion_model", "constant")
    write_report(root / "champion_report", 3.5)
    write_evaluation(root / "champion_evaluation", {("", 0): figures(16, 0.5)})
    return root


def selector_pipeline(
    inputs: Path,
    tmp_path: Path,
    blessed: dict[str, int],
    champion_version: int,
    slices: SliceLimits | None = None,
):
    from tfx import v1 as tfx
    from tfx.types import standard_artifacts as artifacts

    from components.artifacts import ModelFindings
    from components.selector.component import Judged, Selector

    nodes = []

    def channel(name, artifact_type, **custom_properties):
        node = tfx.dsl.Importer(
            source_uri=str(inputs / name),
            artifact_type=artifact_type,
            custom_properties=custom_properties,
        ).with_id(f"import_{name}")
        nodes.append(node)
        return node.outputs["result"]

    selector = Selector(
        candidates={
            name: Judged(
                model=channel(f"model_{name}", artifacts.Model),
                model_run=channel(f"model_run_{name}", artifacts.ModelRun),
                evaluation=channel(f"evaluation_{name}", artifacts.ModelEvaluation),
                blessing=channel(f"blessing_{name}", artifacts.ModelBlessing, blessed=value),
                report=channel(f"report_{name}", ModelFindings),
            )
            for name, value in blessed.items()
        },
        champion_model=channel(
            "champion_model", artifacts.Model, champion_version=champion_version
        ),
        champion_evaluation=channel("champion_evaluation", artifacts.ModelEvaluation),
        champion_report=channel("champion_report", ModelFindings),
        thresholds=THRESHOLDS,
        slices=slices,
    )
    return tfx.dsl.Pipeline(
        pipeline_name="select",
        pipeline_root=str(tmp_path / "root"),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(tmp_path / "metadata.db")
        ),
        components=[*nodes, selector],
    )


def run_selector(inputs, tmp_path, blessed, champion_version, slices=None):
    """Run it; returns the leaderboard and the output artifacts by type."""
    from tfx import v1 as tfx
    from tfx.orchestration import metadata

    pipeline = selector_pipeline(inputs, tmp_path, blessed, champion_version, slices)
    tfx.orchestration.LocalDagRunner().run(pipeline)
    with metadata.Metadata(pipeline.metadata_connection_config) as handler:
        store = handler.store
        made = {
            store.get_artifact_types_by_id([artifact.type_id])[0].name: artifact
            for artifact in store.get_artifacts()
            if artifact.uri.startswith(str(tmp_path / "root"))
        }
    board = Path(made["components.Leaderboard"].uri, "leaderboard.json").read_text()
    return json.loads(board), made


def test_the_best_that_passed_is_handed_on_blessed(inputs, tmp_path):
    board, made = run_selector(inputs, tmp_path, {"transfer_tiny": 1, "plain": 0}, 0)

    assert board["winner"] == "transfer_tiny"
    assert board["decision"].startswith("transfer_tiny wins and beats the constant predictor")
    winner, loser = board["candidates"]
    assert (winner["rank"], winner["name"], winner["failed"]) == (1, "transfer_tiny", [])
    assert (loser["rank"], loser["name"], loser["failed"]) == (2, "plain", ["age_mae 9 is above 8"])
    assert winner["slices"]["gender=1"]["gender_auc"] is None
    assert winner["model"]["parameters"] == 1000
    assert winner["model"]["training_seconds"] == 2.5
    assert winner["model"]["bytes"] == 2 * len("transfer_tiny")
    assert winner["model"]["latency_ms"] == 12.5
    assert board["champion"]["model"]["latency_ms"] == 3.5
    assert board["champion"]["test"] == figures(16, 0.5)
    folder = Path(made["components.Leaderboard"].uri)
    page = (folder / "leaderboard.html").read_text()
    assert page.index("transfer_tiny wins.") < page.index("plain")
    assert page.count(base64.b64encode(b"a picture").decode()) == 3
    assert "| transfer_tiny | 6.00 |" in (folder / "leaderboard.md").read_text()

    model = made["Model"]
    copied = Path(model.uri, "Format-Serving", "variables", "variables.index")
    assert copied.read_text() == "transfer_tiny"
    assert model.custom_properties["candidate"].string_value == "transfer_tiny"
    blessing = made["ModelBlessing"]
    assert [path.name for path in Path(blessing.uri).iterdir()] == ["BLESSED"]
    assert blessing.custom_properties["blessed"].int_value == 1
    assert blessing.custom_properties["current_model"].string_value == str(
        inputs / "model_transfer_tiny"
    )


def test_when_none_passed_the_best_loser_is_handed_on_unblessed(inputs, tmp_path):
    board, made = run_selector(inputs, tmp_path, {"transfer_tiny": 0, "plain": 0}, 7)

    assert board["winner"] is None
    assert board["champion"]["version"] == 7
    assert [row["failed"] for row in board["candidates"]] == [
        ["age_mae 9 is above 8"],
        ["its Evaluator did not bless it"],
    ]
    assert made["Model"].custom_properties["candidate"].string_value == "plain"
    blessing = made["ModelBlessing"]
    assert [path.name for path in Path(blessing.uri).iterdir()] == ["NOT_BLESSED"]
    assert blessing.custom_properties["blessed"].int_value == 0


def test_who_fails_a_slice_does_not_win(inputs, tmp_path):
    limits = SliceLimits(min_size=50, gender=Limit(max_age_mae_ratio=1.1))
    board, made = run_selector(inputs, tmp_path, {"transfer_tiny": 1}, 0, limits)

    assert board["winner"] is None
    assert board["candidates"][0]["failed"] == [
        "female (gender=1): age_mae 7 of 50 faces is 1.17 times the overall 6, at most 1.1 times"
    ]
    assert made["ModelBlessing"].custom_properties["blessed"].int_value == 0


@pytest.mark.parametrize("names", [[], ["x", "run_x"]], ids=["none", "one-key-for-two-inputs"])
def test_names_that_cannot_be_told_apart_are_refused(names):
    from tfx.types import channel, standard_artifacts

    from components.artifacts import ModelFindings
    from components.selector.component import Judged, Selector

    model, model_run, evaluation, blessing, report = (
        channel.Channel(type=artifact_type)
        for artifact_type in (
            standard_artifacts.Model,
            standard_artifacts.ModelRun,
            standard_artifacts.ModelEvaluation,
            standard_artifacts.ModelBlessing,
            ModelFindings,
        )
    )
    with pytest.raises(ValueError, match="candidates need"):
        Selector(
            candidates=dict.fromkeys(names, Judged(model, model_run, evaluation, blessing, report)),
            champion_model=model,
            champion_evaluation=evaluation,
            champion_report=report,
            thresholds=THRESHOLDS,
        )
