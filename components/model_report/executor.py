"""Asks the servable, times it, spoils its pictures, looks inside, and writes the report."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.model_report import report
from pipeline.evaluation import read_metrics

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from components.model_report.pictures.album import Looks
    from trainer.runs import Run

SPLIT = "test"
LOOKED_INTO = 6  # faces

Artifacts = Mapping[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """See ModelReport."""

    def Do(  # noqa: N802
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: Mapping[str, Any]
    ) -> None:
        """Writes `report.json`, the pictures and the answers."""
        from components.model_report.speed import stopwatch

        one = {
            name: artifact_utils.get_single_instance(found) for name, found in input_dict.items()
        }
        folder = Path(artifact_utils.get_single_instance(output_dict["report"]).uri)
        folder.mkdir(parents=True, exist_ok=True)
        model_dir = path_utils.serving_model_path(one["model"].uri)
        split = artifact_utils.get_split_uri([one["examples"]], SPLIT)
        files = sorted(fileio.glob(os.path.join(split, "*")))
        settings = report.ReportSettings.model_validate_json(exec_properties["settings"])
        # The other process loads meanwhile; it times when this one has nothing left to do.
        with stopwatch(model_dir, files) as time:
            content = _examined(folder, model_dir, files, one, settings)
            speed = time()
        report.write(folder, {"name": exec_properties["name"], **content, "speed": speed})


def _examined(
    folder: Path,
    model_dir: str,
    files: list[str],
    one: Mapping[str, types.Artifact],
    settings: report.ReportSettings,
) -> dict[str, Any]:
    """Asks the model and draws its pictures; returns all of the report but the speed."""
    import tensorflow as tf

    from components.model_report import answers, robustness
    from components.model_report.pictures import album, sheets
    from trainer import runs

    model = tf.saved_model.load(model_dir)
    found = answers.ask(model, files)
    answers.write(folder / answers.FILE, found)
    tried = robustness.subset(len(found), settings.robustness_faces, settings.seed)
    looked_into = sheets.some_faces(found, LOOKED_INTO)
    shown = {*sheets.worst_ages(found), *sheets.worst_genders(found), *looked_into}
    pictures = answers.pictures_of(files, {*map(int, shown), *map(int, tried)})
    rows = robustness.table(
        found.part(tried),
        [pictures[int(index)] for index in tried],
        lambda spoilt: answers.ask_pictures(model, spoilt),
    )
    run = runs.read(Path(one["model_run"].uri)) if "model_run" in one else None
    drawn = album.draw(
        folder,
        album.Material(
            answers=found,
            metrics=read_metrics(one["evaluation"].uri),
            pictures=pictures,
            spoilt=robustness.example(pictures[int(tried[0])]),
            history=run.history if run else None,
            frozen_epochs=run.figures.get("frozen_epochs", 0) if run else 0,
            looks=_looks(run, looked_into, pictures) if run else None,
        ),
    )
    return {
        "faces": len(found),
        "pictures": drawn,
        "robustness": {"faces": len(tried), "seed": settings.seed, "rows": rows},
    }


def _looks(
    run: "Run",
    faces: "npt.NDArray[np.integer]",
    pictures: Mapping[int, bytes],
) -> "Looks":
    """Where the model of a run looks in some faces."""
    import numpy as np
    import tensorflow as tf

    from components.model_report.gradcam import heat_maps
    from components.model_report.pictures.album import Looks
    from trainer.preprocessing import decode_and_resize

    side = run.figures["store_size"]
    pixels = np.stack(
        [decode_and_resize(tf.constant(pictures[int(face)]), side).numpy() for face in faces]
    )
    return Looks(faces, pixels, heat_maps(run.model, pixels))
