"""ServableCheck's work inside TFX; the check itself is `logic.check`."""

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import io_utils, path_utils

from components.servable_check.logic import check
from components.servable_check.warm_up import write_warm_up

log = logging.getLogger(__name__)

# Faces no candidate was fitted, stopped or calibrated on.
SPLIT = "test"


class Executor(base_executor.BaseExecutor):
    """Copies the model, adds warm-up requests, and has the copy asked in a fresh process."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Bless the model, or say in `reason` why not; succeeds either way.

        What InfraValidator emits, for Pusher to read: custom property `blessed` (1 or 0); where
        it is 1, `has_model` and the very copy that was asked; `probe.log` beside it.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model, examples, model_blessing = (
            artifact_utils.get_single_instance(input_dict[key])
            for key in (keys.MODEL_KEY, keys.EXAMPLES_KEY, keys.MODEL_BLESSING_KEY)
        )
        blessing = artifact_utils.get_single_instance(output_dict[keys.BLESSING_KEY])
        if not model_utils.is_model_blessed(model_blessing):
            _mark(blessing, ["the model is not blessed, so it was not asked"])
            return

        copy = path_utils.stamped_model_path(blessing.uri)
        io_utils.copy_dir(path_utils.serving_model_path(model.uri), copy)
        write_warm_up(path_utils.warmup_file_path(copy))
        split = artifact_utils.get_split_uri([examples], SPLIT)
        with tempfile.TemporaryDirectory() as scratch:
            probe_log = Path(scratch) / "probe.log"
            faults = check(
                copy,
                sorted(fileio.glob(os.path.join(split, "*"))),
                exec_properties["max_seconds"],
                probe_log,
            )
            io_utils.copy_file(str(probe_log), os.path.join(blessing.uri, probe_log.name))
        if faults:
            log.error("Not servable: %s", "; ".join(faults))
            fileio.rmtree(copy)
        _mark(blessing, faults)


def _mark(blessing: types.Artifact, faults: list[str]) -> None:
    """Write the verdict as InfraValidator does, plus the first few faults as `reason`."""
    blessing.set_int_custom_property("blessed", int(not faults))
    io_utils.write_string_file(
        os.path.join(blessing.uri, "INFRA_NOT_BLESSED" if faults else "INFRA_BLESSED"), ""
    )
    if faults:
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        blessing.set_string_custom_property("reason", "; ".join(faults[:3]) + more)
    else:
        blessing.set_int_custom_property("has_model", 1)
