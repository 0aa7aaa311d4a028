"""Loads trained models, joins them by the mean of their answers, calibrates and exports that."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

Artifacts = Mapping[str, list[types.Artifact]]


def member_key(name: str) -> str:
    """The input of a member's model_run."""
    return f"model_run_{name}"


class Executor(base_executor.BaseExecutor):
    """See Ensemble."""

    def Do(  # noqa: N802
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Writes the ensemble in the layout of a Trainer's outputs."""
        import tensorflow_transform as tft

        from components.ensemble.logic import join_figures, join_histories
        from trainer import dataset, runs, training
        from trainer.export import export_servable

        started = time.monotonic()
        names = json.loads(exec_properties["members"])
        members = {name: runs.read(_path(input_dict, member_key(name))) for name in names}
        known = {name: one.figures for name, one in members.items()}
        figures = join_figures(known)
        model = runs.averaged({name: one.model for name, one in members.items()})
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        val, calib = (
            dataset.plain_batches(
                training.load([f"{uri}/*"], split, figures["store_size"]),
                training.EVALUATION_BATCH,
            )
            for split in ("val", "calib")
            for uri in [artifact_utils.get_split_uri([examples], split)]
        )
        groups = exec_properties["age_groups"]
        found, on_val = training.settled(model, figures["mirror"], val, calib, groups)
        figures |= training.val_figures(on_val)
        figures["seconds"] = round(figures["seconds"] + time.monotonic() - started, 1)
        run = runs.Run(
            figures,
            join_histories({name: one.history for name, one in members.items()}),
            found,
            model,
        )
        written = artifact_utils.get_single_instance(output_dict["model"])
        export_servable(
            path_utils.serving_model_path(written.uri),
            runs.predictor(run),
            tft.TFTransformOutput(str(_path(input_dict, "transform_graph"))),
            figures["store_size"],
            groups,
            found.model_dump_json(),
        )
        runs.write(_path(output_dict, "model_run"), run)


def _path(artifacts: Artifacts, key: str) -> Path:
    return Path(artifact_utils.get_single_instance(artifacts[key]).uri)
