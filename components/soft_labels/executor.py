"""Asks the teacher, and writes its answers into copies of the examples."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

Artifacts = Mapping[str, list[types.Artifact]]
_TRAIN = "train"
_BATCH = 64  # of larger ones a backbone's feature maps take gigabytes


class Executor(base_executor.BaseExecutor):
    """See SoftLabels."""

    def Do(  # noqa: N802
        self,
        input_dict: Artifacts,
        output_dict: Artifacts,
        exec_properties: Mapping[str, Any],  # noqa: ARG002
    ) -> None:
        """Writes examples of the same splits, with the same files, in the same order."""
        from components.soft_labels.logic import answered
        from trainer import runs

        teacher = runs.read(Path(artifact_utils.get_single_instance(input_dict["model_run"]).uri))
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        written = artifact_utils.get_single_instance(output_dict["taught_examples"])
        written.split_names = examples.split_names
        for split in artifact_utils.decode_split_names(examples.split_names):
            for source, target in _files(examples, written, split):
                if split == _TRAIN:
                    answered(source, target, teacher.model, teacher.figures["store_size"], _BATCH)
                else:
                    fileio.copy(source, target)


def _files(
    examples: types.Artifact, written: types.Artifact, split: str
) -> Iterator[tuple[str, str]]:
    """Each file of a split, and where its copy belongs, in a folder that was made."""
    folder = artifact_utils.get_split_uri([examples], split)
    target = artifact_utils.get_split_uri([written], split)
    fileio.makedirs(target)
    for name in sorted(fileio.listdir(folder)):
        yield f"{folder}/{name}", f"{target}/{name}"
