"""Whether a checked model becomes the next served version."""

from pathlib import Path
from typing import NamedTuple

from serving import versions


class Publication(NamedTuple):
    """Where the model is served, and whether it came there just now; `reason` says why not."""

    pushed: bool
    destination: Path
    content_digest: str
    reason: str


def publish_if_new(saved_model_dir: Path, model_dir: Path) -> Publication:
    """Publish under `model_dir` unless the newest version there is this very model.

    Raises:
        OSError: `model_dir` cannot be written; nothing is published then.
    """
    digest = versions.content_digest(saved_model_dir)
    serving = versions.latest(model_dir)
    if serving and versions.content_digest(serving) == digest:
        return Publication(False, serving, digest, f"already serving version {serving.name}")
    version = versions.publish(saved_model_dir, model_dir)
    return Publication(True, model_dir / str(version), digest, "")
