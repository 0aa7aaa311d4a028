"""Loads two trained models, exports them as one servable and joins what is known of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils


class Executor(base_executor.BaseExecutor):
    """See SpecialistPair."""

    def Do(  # noqa: N802
        self,
        input_dict: Mapping[str, list[types.Artifact]],
        output_dict: Mapping[str, list[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Writes the pair in the layout of a Trainer's outputs."""
        import tensorflow_transform as tft

        from components.specialist_pair.logic import join_figures, join_histories
        from trainer import runs
        from trainer.export import export_servable

        def path(artifacts: Mapping[str, list[types.Artifact]], key: str) -> Path:
            return Path(artifact_utils.get_single_instance(artifacts[key]).uri)

        gender, age = (
            runs.read(path(input_dict, key)) for key in ("gender_model_run", "age_model_run")
        )
        figures = join_figures(gender.figures, age.figures)
        pair = runs.Run(
            figures,
            join_histories(gender.history, age.history),
            age.calibration.model_copy(update={"gender": gender.calibration.gender}),
            runs.joined(gender.model, age.model),
        )
        model = artifact_utils.get_single_instance(output_dict["model"])
        export_servable(
            path_utils.serving_model_path(model.uri),
            lambda pixels: runs.predictor(age)(pixels) | runs.predictor(gender)(pixels),
            tft.TFTransformOutput(str(path(input_dict, "transform_graph"))),
            figures["store_size"],
            exec_properties["age_groups"],
            pair.calibration.model_dump_json(),
        )
        runs.write(path(output_dict, "model_run"), pair)
