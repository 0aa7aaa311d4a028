"""Reads what the candidates' nodes wrote, lets `logic` decide, writes the outcome."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from tfx.components.evaluator import constants
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, path_utils

from components.model_report import report
from components.selector import markdown, page
from components.selector.leaderboard import FILE, leaderboard
from components.selector.logic import Candidate, Champion, Decision, Thresholds, choose
from components.selector.slices import SliceLimits, violations
from pipeline.evaluation import failed_thresholds, read_metrics
from serving.versions import content_digest

log = logging.getLogger(__name__)

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """See `component.SelectorSpec` for the keys."""

    def Do(  # noqa: N802
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Always writes a model, a blessing (or its refusal) and the leaderboard."""
        thresholds = Thresholds.model_validate_json(exec_properties["thresholds"])
        limits = SliceLimits.model_validate_json(exec_properties["slices"])
        tolerance = exec_properties["tolerance"]
        candidates = [
            _candidate(name, input_dict, thresholds, limits)
            for name in json.loads(exec_properties["candidates"])
        ]
        champion = _champion(input_dict)

        decision = choose(candidates, champion, thresholds, tolerance)
        log.info("%s", decision.reason)

        emitted = _one(input_dict, f"model_{decision.emitted}")
        model = _one(output_dict, "model")
        io_utils.copy_dir(emitted.uri, model.uri)
        model.set_string_custom_property("candidate", decision.emitted)
        _bless(_one(output_dict, "blessing"), emitted, _one(input_dict, "champion_model"), decision)
        content = leaderboard(candidates, champion, thresholds, limits, tolerance, decision)
        reports = {one.name: _report_of(input_dict, f"report_{one.name}") for one in candidates}
        reports[content["champion"]["name"]] = _report_of(input_dict, "champion_report")
        folder = _one(output_dict, "leaderboard").uri
        for name, text in (
            (FILE, json.dumps(content, indent=2, allow_nan=False) + "\n"),
            (markdown.FILE, markdown.render(content, reports)),
            (page.FILE, page.render(content, reports)),
        ):
            io_utils.write_string_file(os.path.join(folder, name), text)


def _one(artifacts: Artifacts, key: str) -> Artifact:
    return artifact_utils.get_single_instance(artifacts[key])


def _report_of(inputs: Artifacts, key: str) -> report.Report:
    return report.read(Path(_one(inputs, key).uri))


def _candidate(
    name: str, inputs: Artifacts, thresholds: Thresholds, limits: SliceLimits
) -> Candidate:
    evaluation = _one(inputs, f"evaluation_{name}").uri
    path = os.path.join(_one(inputs, f"model_run_{name}").uri, "figures.json")
    figures = json.loads(fileio.open(path).read())
    test = read_metrics(evaluation)
    failed: list[str] = []
    if not model_utils.is_model_blessed(_one(inputs, f"blessing_{name}")):
        failed = failed_thresholds(evaluation) or ["its Evaluator did not bless it"]
    model = _one(inputs, f"model_{name}")
    facts = {
        "parameters": figures.get("parameters"),
        "training_seconds": figures.get("seconds"),
        "bytes": _size(model),
        **_report_of(inputs, f"report_{name}").speed_facts,
    }
    return Candidate(
        name=name,
        val=figures["val"],
        test=test,
        failed=(*failed, *thresholds.too_costly(facts), *violations(test, limits)),
        digest=_digest(model),
        model=facts,
    )


def _champion(inputs: Artifacts) -> Champion:
    model = _one(inputs, "champion_model")
    return Champion(
        version=model.get_int_custom_property("champion_version"),
        test=read_metrics(_one(inputs, "champion_evaluation").uri),
        digest=_digest(model),
        model={"bytes": _size(model), **_report_of(inputs, "champion_report").speed_facts},
    )


def _size(model: Artifact) -> int:
    """Of the servable's files, bytes."""
    folder = Path(path_utils.serving_model_path(model.uri))
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _digest(model: Artifact) -> str:
    return content_digest(Path(path_utils.serving_model_path(model.uri)))


def _bless(blessing: Artifact, model: Artifact, champion: Artifact, decision: Decision) -> None:
    """Says it as TFX's Evaluator does, so that whatever reads its blessings reads ours."""
    marker = constants.BLESSED_FILE_NAME if decision.blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, marker), "")
    value = constants.BLESSED_VALUE if decision.blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, champion.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, champion.id)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY, decision.reason
    )
