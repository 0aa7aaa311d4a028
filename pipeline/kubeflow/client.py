"""Kubeflow Pipelines' API through its own client, with errors of one line."""

import contextlib
import io
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import EXIT_USAGE, UserError

if TYPE_CHECKING:
    from kfp import Client

TOKEN_VARIABLE = "KFP_TOKEN"
COOKIES_VARIABLE = "KFP_COOKIES"
CREDENTIALS = (TOKEN_VARIABLE, COOKIES_VARIABLE)
# Answers and failures that a server's restart, or a proxy before it, explains.
_TIMEOUT = 20  # seconds
_PASSING = frozenset({0, 408, 429, 500, 502, 503, 504})


def connect(host: str, namespace: str, ca_cert: Path | None) -> "Client":
    """A client of the server, which was seen to answer.

    Args:
      host: its URL.
      namespace: of the runs, where the server is shared by several; "" for its own.
      ca_cert: the certificate that signed the server's; the system's if none.

    Raises:
      UserError: when it does not answer, or not to us.
    """
    import kfp_server_api

    if "://" not in host:
        raise UserError(f"--host {host}: say http://{host} or https://{host}", EXIT_USAGE)
    if ca_cert and not ca_cert.is_file():
        raise UserError(f"--ca-cert {ca_cert}: there is no such file", EXIT_USAGE)
    # Its warnings of every attempt to connect; what came of them is told below.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    with quietly(), in_one_line(host):
        # One question before kfp's own, which it repeats for half a minute with a traceback each.
        configuration = kfp_server_api.Configuration(host=host.rstrip("/"))
        if token := os.environ.get(TOKEN_VARIABLE):
            configuration.api_key = {"authorization": token}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        if ca_cert:
            configuration.ssl_ca_cert = str(ca_cert)
        cookies = os.environ.get(COOKIES_VARIABLE)
        with kfp_server_api.ApiClient(configuration, cookie=cookies) as asking:
            kfp_server_api.HealthzServiceApi(asking).healthz_service_get_healthz(
                _request_timeout=_TIMEOUT
            )
        from kfp import Client

        return Client(
            host=host,
            namespace=namespace or "kubeflow",
            existing_token=token,
            cookies=cookies,
            ssl_ca_cert=str(ca_cert) if ca_cert else None,
        )


@contextlib.contextmanager
def in_one_line(host: str) -> Iterator[None]:
    """Says in one line what kept the server from doing what it was asked inside the block.

    Raises:
      UserError: that line.
    """
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        # kfp's word for: there was no answer.
        told = _refused(host, error) if error.status else _unreached(host, error)
        raise UserError(told) from error
    except (HTTPError, OSError, TimeoutError) as error:
        raise UserError(_unreached(host, error)) from error


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keeps what kfp prints of itself, and its warnings of what is to come, out of the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def is_passing(error: BaseException) -> bool:
    """Whether the same question may be answered a little later."""
    cause = error.__cause__
    status = getattr(cause, "status", 0)
    return isinstance(error, UserError) and cause is not None and (status or 0) in _PASSING


def _refused(host: str, error: Any) -> str:
    if error.status in (401, 403):
        held = [name for name in CREDENTIALS if os.environ.get(name)]
        remedy = f"look at {' and '.join(held)}" if held else f"set {' or '.join(CREDENTIALS)}"
        return f"Kubeflow at {host} does not let us in ({error.status}): {remedy}"
    if error.status == 404:
        return f"{host} is no Kubeflow Pipelines API, or a part of it is missing (404)"
    said = _message(error.body) or error.reason or "no reason given"
    return f"Kubeflow at {host} refused ({error.status}): {said}"


def _message(body: Any) -> str:
    """What the API says, of an answer that may be a proxy's page."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        said = json.loads(text)
    except ValueError:
        return ""
    found = (said.get("message") or said.get("error") or "") if isinstance(said, dict) else ""
    return " ".join(str(found).split())


def _unreached(host: str, error: BaseException) -> str:
    """The innermost reason, of the several that wrap each other."""
    reason: Any = error
    while inner := getattr(reason, "reason", None):
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = " ".join(str(reason).split())
    if "CERTIFICATE" in text.upper() or "SSL" in type(reason).__name__.upper():
        return f"the certificate of {host} cannot be trusted ({text}): name its CA with --ca-cert"
    text = getattr(reason, "strerror", None) or text.rpartition(": ")[2] or type(reason).__name__
    text = re.sub(r"^\[Errno -?\d+\] ", "", text)
    return f"Kubeflow at {host} does not answer ({text}): look at --host"
