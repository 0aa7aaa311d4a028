"""DataReport behind TFX's own validators, in a pipeline fed by importers."""

import json
from pathlib import Path

import numpy as np
import pytest

from components.data_report.reading import dataset, numbers
from components.data_report.verdict import REPORT_FILE, VERDICT_FILE, parse_verdict
from components.face_example_gen import ledger as ledgers
from components.face_example_gen.rejects import Reason, Reject
from schema import features
from tests.components.data_report.conftest import ledger

SIZES = dict(zip(features.SPLITS, (640, 80, 80, 200), strict=True))
COMPARED = (features.AGE_GROUP, features.GENDER, features.BRIGHTNESS)
RULES = {
    "anomalies": {"measure": "anomalies", "at_most": 0},
    "brightness": {"measure": "mean", "of": "brightness", "at_least": 0.4, "at_most": 0.6},
    "splits": {"measure": "split_divergence", "at_most": 1},
    "drift": {"measure": "drift", "at_most": 1},
}
SCHEMA = """
feature { name: "gender" type: INT int_domain { min: 0 max: 1 is_categorical: true } }
feature { name: "age_group" type: BYTES }
feature { name: "brightness" type: FLOAT float_domain { min: 0.0 max: 1.0 } }
"""


def write_statistics(uri: Path, seed: int, dark: tuple[str, ...] = ()) -> None:
    """As StatisticsGen writes them, of faces drawn at random; the `dark` splits are darker."""
    import pandas as pd
    import tensorflow_data_validation as tfdv
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    random = np.random.default_rng(seed)
    options = tfdv.StatsOptions(schema=text_format.Parse(SCHEMA, schema_pb2.Schema()))
    for split, size in SIZES.items():
        mean = 0.3 if split in dark else 0.5
        faces = pd.DataFrame(
            {
                features.GENDER: random.integers(0, 2, size),
                features.AGE_GROUP: random.choice(features.AGE_GROUPS, size),
                features.BRIGHTNESS: random.normal(mean, 0.08, size).clip(0, 1),
            }
        )
        found = tfdv.generate_statistics_from_dataframe(faces, options)
        folder = uri / f"Split-{split}"
        folder.mkdir(parents=True)
        (folder / "FeatureStats.pb").write_bytes(found.SerializeToString())


def run(root: Path, seed: int, dark: tuple[str, ...] = (), has_baseline: int = 1) -> Path:
    """Judges drawn data, and returns the folder of the verdict."""
    from tfx import v1 as tfx
    from tfx.components import DistributionValidator
    from tfx.proto import distribution_validator_pb2
    from tfx.types import standard_artifacts as artifacts

    from components.artifacts import Rejects
    from components.data_report.component import DataReport

    write_statistics(root / "statistics", seed, dark)
    write_statistics(root / "baseline", seed + 1)
    (root / "schema").mkdir()
    (root / "schema" / "schema.pbtxt").write_text(SCHEMA)
    (root / "rejects").mkdir()
    names = ["a<b>.jpg", "\u00e9.jpg", "\udcff.jpg"]  # the last is no Unicode
    rejects = [Reject(name, Reason.BAD_NAME, "") for name in names]
    for name, text in ledgers.contents(ledger(), rejects).items():
        (root / "rejects" / name).write_text(text)

    nodes = []

    def channel(name, artifact_type, **properties):
        split_names = {"split_names": json.dumps(list(features.SPLITS))}
        has_splits = artifact_type is artifacts.ExampleStatistics
        node = tfx.dsl.Importer(
            source_uri=str(root / name),
            artifact_type=artifact_type,
            properties=split_names if has_splits else {},
            custom_properties=properties,
        ).with_id(f"import_{name}")
        nodes.append(node)
        return node.outputs["result"]

    config = distribution_validator_pb2.DistributionValidatorConfig()
    for name in COMPARED:
        compared = config.default_slice_config.feature.add()
        compared.path.step.append(name)
        compared.distribution_comparator.jensen_shannon_divergence.threshold = 0.03
    statistics = channel("statistics", artifacts.ExampleStatistics)
    baseline = channel("baseline", artifacts.ExampleStatistics, has_baseline=has_baseline)
    validator = tfx.components.ExampleValidator(
        statistics=statistics, schema=channel("schema", artifacts.Schema)
    )
    splits = DistributionValidator(
        statistics=statistics,
        baseline_statistics=statistics,
        config=config,
        include_split_pairs=[("val", "train"), ("calib", "train"), ("test", "train")],
    ).with_id("SplitValidator")
    drift = DistributionValidator(
        statistics=statistics, baseline_statistics=baseline, config=config
    ).with_id("DriftValidator")
    report = DataReport(
        statistics=statistics,
        anomalies=validator.outputs["anomalies"],
        split_anomalies=splits.outputs["anomalies"],
        drift_anomalies=drift.outputs["anomalies"],
        baseline_statistics=baseline,
        rejects=channel("rejects", Rejects),
        expectations=json.dumps(RULES),
        source="drawn faces",
    )
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="report",
        pipeline_root=str(root / "root"),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(root / "metadata.db")
        ),
        components=[*nodes, validator, splits, drift, report],
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)
    (verdict,) = (root / "root" / "DataReport" / "verdict").iterdir()
    return verdict


def properties(root: Path) -> dict[str, int]:
    from tfx import v1 as tfx
    from tfx.orchestration import metadata

    config = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
    with metadata.Metadata(config) as store:
        (found,) = store.store.get_artifacts_by_type("components.DataVerdict")
    return {name: found.custom_properties[name].int_value for name in ("passed", "violated")}


def test_data_like_the_last_pass(tmp_path):
    folder = run(tmp_path, seed=1)
    verdict = parse_verdict((folder / VERDICT_FILE).read_text())
    assert {rule.rule: rule.passed for rule in verdict.rules} == dict.fromkeys(RULES, True)
    assert verdict.source == "drawn faces"
    drift = verdict.rules[-1]
    assert 0 < drift.value < 1
    assert "against the last accepted" in drift.measured
    assert properties(tmp_path) == {"passed": 1, "violated": 0}
    html = (folder / REPORT_FILE).read_text(encoding="utf-8")
    assert "a&lt;b&gt;.jpg" in html
    assert "\u00e9.jpg" in html
    # 3 pairs of splits, 4 of splits and the baseline's.
    assert html.count("</td><td>0.03</td>") == len(COMPARED) * 7


def test_a_dark_split_is_found_and_the_first_data_have_no_drift(tmp_path):
    folder = run(tmp_path, seed=3, dark=("val",), has_baseline=0)
    verdict = parse_verdict((folder / VERDICT_FILE).read_text())
    assert [rule.rule for rule in verdict.violated] == ["brightness", "splits"]
    brightness, splits = verdict.violated
    assert brightness.measured.startswith("val 0.3")
    assert splits.measured.startswith("brightness of val against train 0.")
    assert splits.measured.endswith("8 more that hold")
    assert verdict.rules[-1].measured == "no earlier data to compare with"
    assert properties(tmp_path) == {"passed": 0, "violated": 2}


def test_pictures_are_read_as_tfdv_counts_them(tmp_path):
    write_statistics(tmp_path, seed=5)
    content = (tmp_path / "Split-train" / "FeatureStats.pb").read_bytes()
    brightness = numbers(dataset(content))[features.BRIGHTNESS]
    assert brightness.mean == pytest.approx(0.5, abs=0.01)
    assert brightness.median == pytest.approx(0.5, abs=0.02)
    assert sum(bar.faces for bar in brightness.histogram) == pytest.approx(SIZES["train"])
    edges = (brightness.histogram[0].low, brightness.histogram[-1].high)
    assert edges == (brightness.smallest, brightness.largest)
    assert numbers(dataset(b"")) == {}
