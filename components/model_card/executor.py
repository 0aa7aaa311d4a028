"""Reads what other nodes wrote of the Selector's model, and writes its card."""

import datetime
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.data_report.verdict import VERDICT_FILE, parse_verdict
from components.face_example_gen import ledger
from components.model_card import markdown, page
from components.model_card.known import About, Known, Publication
from components.model_card.logic import card
from components.model_report import report
from components.selector import leaderboard
from serving.versions import content_digest

CANDIDATE_PROPERTY, DIGEST_PROPERTY = "candidate", "content_digest"
PUBLISHED_PROPERTY, VERSION_PROPERTY = "published", "version"

Artifacts = Mapping[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """See ModelCard."""

    def Do(  # noqa: N802
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: Mapping[str, Any]
    ) -> None:
        """Writes the card as a page and as Markdown."""
        about = About.model_validate_json(exec_properties["about"])
        known = _known(input_dict, about)
        written = card(known)
        output = artifact_utils.get_single_instance(output_dict["card"])
        for name, text in (
            (page.FILE, page.render(written)),
            (markdown.FILE, markdown.render(written)),
        ):
            io_utils.write_string_file(os.path.join(output.uri, name), text)
        output.set_string_custom_property(CANDIDATE_PROPERTY, known.name)
        output.set_string_custom_property(DIGEST_PROPERTY, known.digest)
        output.set_int_custom_property(PUBLISHED_PROPERTY, int(written.published))
        if known.publication.version is not None:
            output.set_int_custom_property(VERSION_PROPERTY, known.publication.version)


def _known(inputs: Artifacts, about: About) -> Known:
    from trainer import runs  # Keras with it

    one = {name: artifact_utils.get_single_instance(found) for name, found in inputs.items()}
    board = json.loads(_read(one["leaderboard"], leaderboard.FILE))
    name = board["candidates"][0]["name"]
    run = one[f"model_run_{name}"]
    return Known(
        board=board,
        figures=json.loads(_read(run, runs.FIGURES_FILE)),
        calibration=json.loads(_read(run, runs.CALIBRATION_FILE)),
        report=report.read(Path(one[f"report_{name}"].uri)),
        ledger=ledger.parse(_read(one["rejects"], ledger.LEDGER_FILE)),
        verdict=parse_verdict(_read(one["verdict"], VERDICT_FILE)),
        about=about,
        digest=content_digest(Path(path_utils.serving_model_path(one["model"].uri))),
        publication=_publication(one["pushed_model"]),
        date=datetime.datetime.now(datetime.UTC).date(),
    )


def _publication(pushed: types.Artifact) -> Publication:
    """What Publisher says in its custom properties: see its executor."""
    version = pushed.get_string_custom_property("pushed_version")
    return Publication(
        version=int(version) if version else None,
        pushed=bool(pushed.get_int_custom_property("pushed")),
        reason=pushed.get_string_custom_property("reason"),
    )


def _read(artifact: types.Artifact, name: str) -> str:
    with fileio.open(os.path.join(artifact.uri, name), "rb") as file:
        content: bytes = file.read()
    return content.decode("utf-8", "replace")
