"""Reads the verdict, and raises on it."""

import json
import os
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.data_gate.logic import approve
from components.data_report.verdict import VERDICT_FILE, parse_verdict

APPROVAL_FILE = "approval.json"


class Executor(base_executor.BaseExecutor):
    """See DataGate."""

    def Do(  # noqa: N802
        self,
        input_dict: Mapping[str, list[types.Artifact]],
        output_dict: Mapping[str, list[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Writes the approval.

        Raises:
          UserError: exit code 4, when a rule is violated and nobody accepted that.
        """
        verdict = artifact_utils.get_single_instance(input_dict["verdict"])
        text = io_utils.read_string_file(os.path.join(verdict.uri, VERDICT_FILE))
        approval = approve(
            parse_verdict(text), exec_properties["accept_reason"], exec_properties["accepted_by"]
        )
        output = artifact_utils.get_single_instance(output_dict["approval"])
        fileio.makedirs(output.uri)
        io_utils.write_string_file(
            os.path.join(output.uri, APPROVAL_FILE), json.dumps(approval, indent=2)
        )
        output.set_string_custom_property("reason", approval["reason"])
        output.set_string_custom_property("accepted_by", approval["accepted_by"])
        output.set_int_custom_property("violated", len(approval["violated"]))
