"""Reads what other nodes found out about the data, and writes the verdict and the report."""

import json
import os
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.data_report import page, reading
from components.data_report.expectations import Rule
from components.data_report.facts import Facts
from components.data_report.logic import judge
from components.data_report.verdict import REPORT_FILE, VERDICT_FILE
from components.face_example_gen import ledger
from schema import features

HAS_BASELINE_PROPERTY = "has_baseline"  # of Baseline's output
PASSED_PROPERTY, VIOLATED_PROPERTY = "passed", "violated"

Artifacts = Mapping[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """See DataReport."""

    def Do(  # noqa: N802
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: Mapping[str, Any]
    ) -> None:
        """Writes the verdict and the report."""
        rules = json.loads(exec_properties["expectations"])
        facts = _facts(input_dict)
        verdict = judge(
            {name: Rule.model_validate(rule) for name, rule in rules.items()},
            facts,
            exec_properties["source"],
        )
        output = artifact_utils.get_single_instance(output_dict["verdict"])
        fileio.makedirs(output.uri)
        _write(output.uri, VERDICT_FILE, verdict.to_json())
        _write(output.uri, REPORT_FILE, page.render(verdict, facts))
        output.set_int_custom_property(PASSED_PROPERTY, int(verdict.passed))
        output.set_int_custom_property(VIOLATED_PROPERTY, len(verdict.violated))


def _facts(inputs: Artifacts) -> Facts:
    one = {name: artifact_utils.get_single_instance(found) for name, found in inputs.items()}
    rejects = one["rejects"].uri
    statistics = _statistics(one["statistics"].uri)
    baseline = one["baseline_statistics"]
    drift = None
    if baseline.get_int_custom_property(HAS_BASELINE_PROPERTY):
        drift = reading.divergences(
            _by_pair(one["drift_anomalies"].uri),
            statistics,
            _statistics(baseline.uri),
            "{} against the last accepted {}",
        )
    return Facts(
        ledger=ledger.parse(_read(rejects, ledger.LEDGER_FILE).decode()),
        rejects=ledger.parse_rejects(_read(rejects, ledger.REJECTS_FILE).decode()),
        pictures={split: reading.numbers(found) for split, found in statistics.items()},
        anomalies=reading.anomalies(_by_split(one["anomalies"].uri)),
        between_splits=reading.divergences(
            _by_pair(one["split_anomalies"].uri), statistics, statistics, "{} against {}"
        ),
        drift=drift,
    )


def _statistics(uri: str) -> reading.Statistics:
    return {split: reading.dataset(content) for split, content in _by_split(uri).items()}


def _by_split(uri: str) -> dict[str, bytes]:
    """The one file of each split's folder, in the order of the splits."""
    return {split: _only_file(uri, f"Split-{split}") for split in features.SPLITS}


def _by_pair(uri: str) -> dict[tuple[str, str], bytes]:
    """The one file of each pair's folder; DistributionValidator makes one for each."""
    return {
        (one, other): _only_file(uri, folder)
        for one in features.SPLITS
        for other in features.SPLITS
        if fileio.exists(os.path.join(uri, folder := f"SplitPair-{one}_{other}"))
    }


def _only_file(uri: str, folder: str) -> bytes:
    return _read(io_utils.get_only_uri_in_dir(os.path.join(uri, folder)), "")


def _read(uri: str, name: str) -> bytes:
    with fileio.open(os.path.join(uri, name) if name else uri, "rb") as file:
        return file.read()


def _write(uri: str, name: str, text: str) -> None:
    # In bytes: a file name that is no sound Unicode must not stop the report.
    with fileio.open(os.path.join(uri, name), "wb") as file:
        file.write(text.encode("utf-8", "replace"))
