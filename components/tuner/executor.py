"""Runs TFX's search, and keeps of it what TFX leaves out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.tuner import executor
from tfx.types import artifact_utils

from trainer import trials


class Executor(executor.Executor):
    """See Tuner."""

    def Do(  # noqa: N802
        self,
        input_dict: Mapping[str, list[types.Artifact]],
        output_dict: Mapping[str, list[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """One process, one search; its folder outlives this one's failure, and the node's."""
        # Not its own summary: ours is shown when the run ends.
        tuner = executor.search(
            input_dict, exec_properties, self._get_tmp_dir(), print_tuning_summary=False
        )
        executor.write_best_hyperparameters(tuner, output_dict)
        output = artifact_utils.get_single_instance(output_dict["tuner_results"])
        found = trials.finished(tuner.folder)
        search = trials.read_search(tuner.folder).model_dump_json(indent=2)
        trials.write(Path(output.uri, trials.SEARCH_FILE), search)
        trials.write(Path(output.uri, trials.TRIALS_FILE), trials.as_lines(found))
        output.set_int_custom_property("trials", len(found))
        output.set_int_custom_property("failed", len(trials.failed(found)))
        output.set_int_custom_property("best_trial", trials.ranked(found)[0].number)
