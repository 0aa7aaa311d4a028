"""TF Serving's REST API, asked in column format."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from pipeline.errors import EXIT_USAGE, UserError
from schema import features
from serving.client.answers import Answer, Ask, RefusedError, from_columns
from serving.client.retries import BusyError, patiently

if TYPE_CHECKING:
    from serving.client.connect import Choice, Patience

_BUSY = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


@contextmanager
def calling(url: str, path: str, choice: "Choice", patience: "Patience") -> Iterator[Ask]:
    """Yields the function that asks the model behind `url`; closes its connections afterwards."""
    base = url.rstrip("/").removesuffix(path)
    target = f"{base}{_model(path, choice)}:predict"
    with httpx.Client(timeout=patience.timeout) as http:

        def ask(pictures: Sequence[bytes]) -> list[Answer]:
            try:
                reply = patiently(lambda: _post(http, target, _body(pictures)), patience)
            except BusyError as error:
                raise UserError(f"{url}: does not answer ({error}); is a server there?") from error
            except httpx.TimeoutException as error:
                within = f"{patience.timeout:g} s; give a longer --timeout"
                raise UserError(f"{url}: no answer within {within}") from error
            except httpx.HTTPError as error:
                raise UserError(f"{url}: {error}") from error
            return from_columns(_columns(url, reply), len(pictures))

        yield ask


def _model(path: str, choice: "Choice") -> str:
    model = path or f"/v1/models/{features.MODEL_NAME}"
    wanted = (
        f"/versions/{choice.version}"
        if choice.version is not None
        else f"/labels/{choice.label}"
        if choice.label is not None
        else ""
    )
    if wanted and ("/versions/" in model or "/labels/" in model):
        raise UserError("--url names a version already: leave --version and --label", EXIT_USAGE)
    return model + wanted


def _body(pictures: Sequence[bytes]) -> dict[str, Any]:
    encoded = [{"b64": base64.b64encode(picture).decode()} for picture in pictures]
    return {
        "signature_name": features.SIGNATURE_DEFAULT,
        "inputs": {features.INPUT_IMAGE_BYTES: encoded},
    }


def _post(http: httpx.Client, target: str, body: dict[str, Any]) -> httpx.Response:
    try:
        reply = http.post(target, json=body)
    except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError) as error:
        raise BusyError(str(error) or type(error).__name__) from error
    if reply.status_code in _BUSY:
        raise BusyError(f"{reply.status_code}: {_error(reply)}")
    if reply.status_code in _REFUSED:
        raise RefusedError(_error(reply)[:200])
    return reply


def _columns(url: str, reply: httpx.Response) -> dict[str, Any]:
    if reply.status_code != HTTPStatus.OK:
        raise UserError(f"{url}: {reply.status_code}: {_error(reply)[:300]}")
    try:
        outputs = reply.json()["outputs"]
        columns = {name: list(outputs[name]) for name in outputs}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{url}: answers, but not as TF Serving does; is it a model?") from error
    # Decimals back to the float32 they stand for: the same answers as over gRPC, to the last bit.
    words = (features.OUT_GENDER, features.OUT_AGE_GROUP)
    return {k: v if k in words else np.asarray(v, np.float32) for k, v in columns.items()}


def _error(reply: httpx.Response) -> str:
    try:
        said = reply.json()["error"]
    except (ValueError, KeyError, TypeError):
        said = reply.reason_phrase
    return " ".join(str(said).split())
