"""What a ModelServerConfig, TF Serving's own, means for a server of one model."""

import sys
from pathlib import Path
from typing import NamedTuple

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.server.errors import invalid


class Policy(NamedTuple):
    """Which versions are served: the newest `keep` or, where it is given, `only` these."""

    keep: int
    only: frozenset[int] | None
    labels: dict[str, int]


def policy_of(config: ModelServerConfig, name: str, base_path: Path) -> Policy:
    """The version policy and labels it asks for.

    Args:
      config: of exactly one model, the one that is served.
      name: of that model.
      base_path: where its versions are; this cannot be changed.

    Raises:
      ServingError: INVALID_ARGUMENT for another model or another place.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    models = config.model_config_list.config
    if [one.name for one in models] != [name]:
        raise invalid(f"This server serves one model: {name}")
    (model,) = models
    if model.base_path and Path(model.base_path).resolve() != base_path.resolve():
        raise invalid(f"{name} is served from {base_path}; this cannot be changed")
    policy = model.model_version_policy
    labels = dict(model.version_labels)
    match policy.WhichOneof("policy_choice"):
        case "all":
            return Policy(sys.maxsize, None, labels)
        case "specific":
            return Policy(1, frozenset(policy.specific.versions), labels)
        case _:
            return Policy(max(1, policy.latest.num_versions), None, labels)
