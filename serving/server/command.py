"""`agegender serve`: what can be wrong before TensorFlow is loaded, and the server itself."""

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline import quiet
from pipeline.errors import EXIT_USAGE, UserError
from serving import versions
from serving.server.settings import ServerSettings


def run_serve(
    base_path: Path, labels: Sequence[str], options: dict[str, Any], verbose: bool
) -> int:
    """Serves until it is told to stop; returns the exit code.

    Args:
      base_path: holds the versions.
      labels: each NAME=VERSION.
      options: of ServerSettings.
      verbose: show what TensorFlow logs while it is loaded.

    Raises:
      UserError: with exit code 2 for a wrong option; with 1 when nothing can be served.
    """
    settings = _settings(base_path, labels, options)
    there = versions.list_versions(base_path)
    if not there:
        raise UserError(
            f"{base_path} holds no version to serve: publish one with `agegender run`, "
            "or name another folder with --base-path"
        )
    for label, version in settings.labels.items():
        if version not in there:
            raise UserError(
                f"--label {label}={version}: {base_path} holds no version {version}; there are: "
                f"{', '.join(map(str, there))}",
                EXIT_USAGE,
            )
    sock = _bound(settings.host, settings.rest_port, "--rest-port")
    _bound(settings.host, settings.grpc_port, "--port").close()
    if not verbose:  # a line for every picture that does not decode is the sender's to write
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    quiet.prepare_environment()
    with _stderr_muted(not verbose):
        from serving.server import running
    return running.serve(settings, sock)


def _settings(base_path: Path, labels: Sequence[str], options: dict[str, Any]) -> ServerSettings:
    pairs = dict(one.partition("=")[::2] for one in labels)
    for name, version in pairs.items():
        if not name or not version.isdecimal():
            raise UserError(f"--label {name}={version}: it takes NAME=VERSION", EXIT_USAGE)
    try:
        return ServerSettings(base_path=base_path, labels=pairs, **options)
    except ValidationError as error:
        first = error.errors()[0]
        name = {"grpc_port": "port"}.get(str(first["loc"][0]), str(first["loc"][0]))
        option = "--" + name.replace("_", "-")
        raise UserError(f"{option} {first['input']}: {first['msg']}", EXIT_USAGE) from error


def _bound(host: str, port: int, option: str) -> socket.socket:
    """A socket at that address, not yet listened at."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        raise UserError(
            f"{host}:{port} cannot be listened at ({error.strerror}): choose another {option}"
        ) from error
    return sock


@contextmanager
def _stderr_muted(muted: bool) -> Iterator[None]:
    """TensorFlow's libraries write to descriptor 2 while they are loaded, whatever is set."""
    if not muted:
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
