"""Where a model is: in a folder, behind gRPC or behind REST."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pipeline.errors import EXIT_USAGE, UserError
from schema import features
from serving.client.answers import Ask

_FORMS = "grpc://host:port, http://host:port or http://host:port/v1/models/agegender"


class Choice(NamedTuple):
    """Which version of a model is asked: a number, a label, or (neither) the newest."""

    version: int | None = None
    label: str | None = None


class Patience(NamedTuple):
    """Seconds an attempt may take, and how many attempts are made."""

    timeout: float = 30.0
    attempts: int = 5


@contextmanager
def connect(
    url: str | None = None,
    model_dir: Path | None = None,
    choice: Choice = Choice(),  # noqa: B008
    patience: Patience = Patience(),  # noqa: B008
) -> Iterator[Ask]:
    """Yields the function that asks, whichever way the model is reached.

    Args:
      url: of a server with TF Serving's API; grpc:// or http(s)://.
      model_dir: the folder of the versions, where there is no url.
      choice: which version.
      patience: with a server; the folder is always there.

    Raises:
      UserError: the url is of no known form, or the folder holds no such version.
    """
    if choice.version is not None and choice.label is not None:
        raise UserError("--version and --label do not go together", EXIT_USAGE)
    if url is None:
        from serving.client.folder import load

        yield load(model_dir or Path("work", "serving", features.MODEL_NAME), choice)
        return
    scheme, address, path = _parts(url)
    if scheme == "grpc":
        from serving.client import over_grpc

        calling = over_grpc.calling(url, address, choice, patience)
    else:
        from serving.client import over_rest

        calling = over_rest.calling(url, path, choice, patience)
    with calling as ask:
        yield ask


def _parts(url: str) -> tuple[str, str, str]:
    """Scheme, host:port and path of a url that can be asked."""
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and (parts.scheme != "grpc" or parts.port is not None)
    except ValueError:  # a port that is no number
        sound = False
    if not sound or parts.scheme not in ("grpc", "http", "https") or parts.query or parts.fragment:
        raise UserError(f"{url!r} is no model's address; give {_FORMS}", EXIT_USAGE)
    path = parts.path.rstrip("/")
    if (parts.scheme == "grpc" and path) or (path and not path.startswith("/v1/models/")):
        raise UserError(f"{url!r} has a path that cannot be asked; give {_FORMS}", EXIT_USAGE)
    return parts.scheme, parts.netloc, path
