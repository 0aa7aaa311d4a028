"""Where a served version came from, walked out of ML Metadata and the artifacts it names.

The walk begins at the Publisher that published the version's content, so a version is explained by
its own run, and by the earlier runs whose results that one reused. What is None was in the folder
of an artifact that is not kept any more.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore

from components.data_report.verdict import REPORT_FILE
from components.face_example_gen import ledger
from components.finite import finite
from components.selector import leaderboard
from pipeline import publications, trainings, walk
from pipeline.publications import Origin
from pipeline.trainings import Training
from pipeline.walk import Step
from schema import features

# As trainer.runs and components.data_gate.executor name them; they load Keras and TFX.
CALIBRATION_FILE = "calibration.json"
APPROVAL_FILE = "approval.json"

# What of a candidate the Selector is fed: `model_multitask` and so on.
_OF_A_CANDIDATE = ("model", "model_run", "evaluation", "blessing", "report")


@dataclass(frozen=True)
class Gate:
    """What DataGate of the publishing run let pass.

    Attributes:
      passed: whether the data broke no rule.
      count: of the rules they broke.
      violated: the names of those.
      accepted_by: who accepted that, and `reason` why; "" when nobody had to.
    """

    passed: bool
    count: int
    violated: tuple[str, ...] | None
    accepted_by: str
    reason: str
    report: str | None  # the page


@dataclass(frozen=True)
class Data:
    """The photographs: files found, used and rejected; `limit` is 0 when all were taken.

    `labels` is the CSV file of their labels, "" when their names carry them.
    """

    source: str
    labels: str
    fingerprint: str
    limit: int
    found: int
    used: int
    rejected: int
    reasons: Mapping[str, int] | None
    splits: Mapping[str, int] | None
    schema: str
    store_size: int  # pixels
    gate: Gate | None


@dataclass(frozen=True)
class Standing:
    """How the candidate did beside the others and the champion: rows of leaderboard.json."""

    decision: str
    champion_version: int  # 0: the constant predictor
    candidates: int
    thresholds: Mapping[str, Any]  # as set
    row: Mapping[str, Any] | None
    champion: Mapping[str, Any] | None
    page: str | None


@dataclass(frozen=True)
class Check:
    """ServableCheck's outcome."""

    passed: bool
    reason: str
    log: str | None


@dataclass(frozen=True)
class Trace:
    """One execution on the way, so that one can look further."""

    node: str
    run: str
    execution_id: int
    code_fingerprint: str | None
    mlflow_record: str | None
    artifacts: Mapping[str, Any]  # key -> {id, uri, kept}


@dataclass(frozen=True)
class Lineage:
    """All that is known of a served version; see the module."""

    version: int
    folder: str
    origin: Origin
    candidate: str
    data: Data
    models: tuple[Training, ...]
    standing: Standing
    calibration: Mapping[str, Any] | None
    check: Check
    traces: tuple[Trace, ...]

    def to_json(self) -> str:
        """All of it."""
        return json.dumps(finite(asdict(self)), indent=2, allow_nan=False)


def lineage(store: MetadataStore, model_dir: Path, version: int) -> Lineage:
    """Where a version in `model_dir` came from.

    Raises:
      UserError: when it is not there or not on record; the message says what is known.
    """
    origin = publications.origin(store, model_dir, version)
    (execution,) = store.get_executions_by_id([origin.publication.execution_id])
    publisher = walk.step(store, execution)
    gate = walk.of_run(store, publisher.run, "DataGate")
    # The gate feeds nobody: what it let pass must not be learned from again when it judges again.
    steps = walk.upstream(store, [publisher, *([gate] if gate else [])], _counts)
    selector = steps["Selector"]
    candidate = _candidate(selector)
    source = walk.maker_among(steps, selector.inputs[f"model_{candidate}"])
    # Of SpecialistPair and Ensemble, which join what several Trainers made.
    parts = [fed for key, fed in source.inputs.items() if "model_run" in key]
    trainers = [walk.maker_among(steps, part) for part in parts] or [source]
    return Lineage(
        version=version,
        folder=str(model_dir / str(version)),
        origin=origin,
        candidate=candidate,
        data=_data(steps, gate),
        models=tuple(trainings.training(steps, trainer) for trainer in trainers),
        standing=_standing(selector, candidate),
        calibration=walk.json_in(selector.inputs[f"model_run_{candidate}"], CALIBRATION_FILE),
        check=_check(steps["ServableCheck"]),
        traces=tuple(_trace(s) for s in sorted(steps.values(), key=lambda s: s.execution_id)),
    )


def _counts(step: Step, key: str) -> bool:
    """Whether what fed a step under this key is part of the version's past."""
    if step.node != "Selector" or key.startswith("champion_"):
        return True
    return key.removesuffix(f"_{_candidate(step)}") in _OF_A_CANDIDATE


def _candidate(selector: Step) -> str:
    return str(selector.outputs["model"].properties["candidate"])


def _data(steps: Mapping[str, Step], gate: Step | None) -> Data:
    ingestion = steps["FaceExampleGen"]
    counted = ingestion.outputs["rejects"]
    text = walk.text_in(counted, ledger.LEDGER_FILE)
    reasons = splits = None
    if text is not None:
        counts = ledger.parse(text)
        reasons = {str(reason): count for reason, count in counts.rejected.most_common()}
        splits = dict.fromkeys(features.SPLITS, 0)
        for cell, count in counts.used.items():
            splits[cell.split] += count
    return Data(
        source=ingestion.parameters["data_uri"],
        labels=ingestion.parameters.get("labels_uri") or "",
        fingerprint=ingestion.parameters["data_fingerprint"],
        limit=ingestion.parameters["limit"],
        found=counted.properties["total"],
        used=counted.properties["used"],
        rejected=counted.properties["rejected"],
        reasons=reasons,
        splits=splits,
        schema=steps["ImportSchemaGen"].parameters["schema_file"],
        store_size=steps["Transform"].parameter("custom_config")["store_size"],
        gate=_gate(gate) if gate else None,
    )


def _gate(gate: Step) -> Gate:
    verdict, approval = gate.inputs["verdict"], gate.outputs["approval"]
    written = walk.json_in(approval, APPROVAL_FILE)
    return Gate(
        passed=bool(verdict.properties["passed"]),
        count=verdict.properties["violated"],
        violated=None if written is None else tuple(written["violated"]),
        accepted_by=approval.properties.get("accepted_by", ""),
        reason=approval.properties.get("reason", ""),
        report=walk.path_in(verdict, REPORT_FILE),
    )


def _standing(selector: Step, candidate: str) -> Standing:
    artifact = selector.outputs["leaderboard"]
    board = walk.json_in(artifact, leaderboard.FILE)
    rows = board["candidates"] if board else []
    return Standing(
        decision=selector.outputs["blessing"].properties["blessing_message"],
        champion_version=selector.inputs["champion_model"].properties["champion_version"],
        candidates=len(selector.parameter("candidates")),
        thresholds=selector.parameter("thresholds"),
        row=next((_overall(row) for row in rows if row["name"] == candidate), None),
        champion=_overall(board["champion"]) if board else None,
        page=walk.path_in(artifact, "leaderboard.html"),
    )


def _overall(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the figures of all its slices, of which the page has hundreds."""
    return {key: value for key, value in row.items() if key != "slices"}


def _check(step: Step) -> Check:
    blessing = step.outputs["blessing"]
    said = blessing.properties
    return Check(bool(said["blessed"]), said.get("reason", ""), walk.path_in(blessing, "probe.log"))


def _trace(step: Step) -> Trace:
    made = {}
    for key, artifact in step.outputs.items():
        # A publication's own folder is empty: the version is the artifact.
        where = artifact.properties.get("pushed_destination", artifact.uri)
        made[key] = {"id": artifact.id, "uri": where, "kept": Path(where).exists()}
    return Trace(step.node, step.run, step.execution_id, step.code, step.record, made)
