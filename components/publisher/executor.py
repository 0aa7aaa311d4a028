"""Publisher's work inside TFX; the folder itself is `serving.versions`."""

import logging
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.evaluator.constants import ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY
from tfx.components.pusher import executor
from tfx.components.util import model_utils
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import proto_utils

from components.publisher.logic import publish_if_new

log = logging.getLogger(__name__)


class Executor(executor.Executor):
    """Pusher's executor, but a version appears whole and equal content is not published twice."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Publish the model inside the InfraBlessing, or say in `reason` why not.

        PushedModel's custom properties: `pushed` (1 or 0) and, where this very model is now
        served, `pushed_destination`, `pushed_version` and `content_digest`; `reason` when `pushed`
        is 0. The artifact's own folder stays empty, for InfraBlessing keeps the same bytes, and is
        removed after a publication, so that this execution is never reused.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(output_dict[keys.PUSHED_MODEL_KEY])
        if why_not := _why_not_blessed(input_dict):
            self._MarkNotPushed(pushed_model)
            pushed_model.set_string_custom_property("reason", why_not)
            log.info("Nothing published: %s", why_not)
            return

        target = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[keys.PUSH_DESTINATION_KEY], target)
        publication = publish_if_new(
            Path(self.GetModelPath(input_dict)), Path(target.filesystem.base_directory)
        )
        self._MarkPushed(pushed_model, str(publication.destination), publication.destination.name)
        pushed_model.set_string_custom_property("content_digest", publication.content_digest)
        if publication.pushed:
            # TFX reuses a result as long as its folder exists. This one is a deed that may be
            # undone: when what is served is again as it was before, it must be done again.
            if fileio.exists(pushed_model.uri):
                fileio.rmtree(pushed_model.uri)
        else:
            self._MarkNotPushed(pushed_model)
            pushed_model.set_string_custom_property("reason", publication.reason)
        log.info("%s", publication)


def _why_not_blessed(input_dict: dict[str, list[types.Artifact]]) -> str:
    """What the first node that withheld its blessing says about it; empty when none did."""
    model_blessing = artifact_utils.get_single_instance(input_dict[keys.MODEL_BLESSING_KEY])
    if not model_utils.is_model_blessed(model_blessing):
        said = model_blessing.get_string_custom_property(ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY)
        return said or "no candidate passed"
    infra_blessing = artifact_utils.get_single_instance(input_dict[keys.INFRA_BLESSING_KEY])
    if not model_utils.is_infra_validated(infra_blessing):
        said = infra_blessing.get_string_custom_property("reason")
        return f"the servable failed its check: {said}"
    return ""
