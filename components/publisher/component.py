"""Publisher: TFX's Pusher, with versions that appear whole."""

from tfx import types
from tfx.components.pusher.component import Pusher
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import pusher_pb2

from components.publisher.executor import Executor


class Publisher(Pusher):
    """Publishes the checked model under `model_dir` as the next version, unless it serves already.

    Output `pushed_model`: see the executor for its custom properties.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        infra_blessing: types.BaseChannel,
        model_blessing: types.BaseChannel,
        model_dir: str,
        serving_state: str,
        code_fingerprint: str,
    ) -> None:
        """Wire Publisher.

        Args:
            infra_blessing: ServableCheck's, which holds the very bytes that were checked.
            model_blessing: Selector's.
            model_dir: `<serving_dir>/<model name>`, on a file system this node can write.
            serving_state: `serving.versions.serving_state(model_dir)` before the run: what is
                served belongs to the cache key, or a deleted folder would not be seen. An
                execution that published is never reused (see the executor).
            code_fingerprint: of the modules this node uses, likewise for the cache key.
        """
        super().__init__(
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=pusher_pb2.PushDestination(
                filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=model_dir)
            ),
            custom_config={"serving_state": serving_state, "code_fingerprint": code_fingerprint},
        )
