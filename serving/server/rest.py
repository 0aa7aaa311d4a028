"""TF Serving's REST API, and health, metrics and a description of it all."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple
from urllib.parse import unquote

from google.protobuf.json_format import MessageToDict, MessageToJson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse

from serving.server import json_answers, json_requests
from serving.server.core import Core, refuse_method
from serving.server.errors import HTTP_STATUS, ServingError, TooLargeError, invalid
from serving.server.openapi import description

METRICS_PATH: Final = "/monitoring/prometheus/metrics"
TOO_LARGE: Final = 413
CLIENT_CLOSED: Final = 499
_INLINE_BYTES: Final = 100_000
_WHICH = r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_POST = re.compile(_WHICH + r":(classify|regress|predict)", re.IGNORECASE)
_GET = re.compile(_WHICH + r"(/metadata)?", re.IGNORECASE)
_MAX_VERSION: Final = 2**63 - 1


class _Which(NamedTuple):
    name: str
    version: int | None
    label: str


def application(core: Core) -> Starlette:
    """The server of everything under /v1, /monitoring and the rest."""
    every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            # As in TF Serving, capitals are no matter.
            *(Route(f"/{v}1/{{rest:path}}", _answering(core), methods=every) for v in "vV"),
            Route("/healthz", lambda _request: JSONResponse({"status": "alive"})),
            Route("/readyz", lambda _request: _readiness(core)),
            Route(METRICS_PATH, lambda _request: _metrics(core)),
            Route("/openapi.json", lambda _request: JSONResponse(description(core.catalog.name))),
        ],
        exception_handlers={404: _unknown_path, 405: _unknown_path, 500: _defect},
    )


def _answering(core: Core) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await _answer(core, request)
        except TooLargeError as error:
            # What is left of the body is not read.
            return _refusal(TOO_LARGE, error.message, close=True)
        except ServingError as error:
            return _refusal(HTTP_STATUS.get(error.code, 500), error.message)
        except ClientDisconnect:
            return _refusal(CLIENT_CLOSED, "The client went away")

    return answer


async def _answer(core: Core, request: Request) -> Response:
    # The path as it was sent: a name may hold what would otherwise part it.
    path = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1")
    path = path.partition("?")[0]
    if request.method == "POST" and (found := _POST.fullmatch(path)):
        which, method = _which(*found.group(1, 2, 3)), found.group(4).lower()
        async with core.admitted(which.name, method, "REST"):
            return await _posted(core, which, method, request)
    if request.method == "GET" and re.fullmatch("/v1/models/?", path, re.IGNORECASE):
        raise invalid("Missing model name in request.")
    if request.method == "GET" and (found := _GET.fullmatch(path)):
        which = _which(*found.group(1, 2, 3))
        return _metadata(core, which) if found.group(4) else _status(core, which)
    raise invalid(f"Malformed request: {request.method} {path}")


def _which(name: str, version: str | None, label: str | None) -> _Which:
    number = None
    if version is not None:
        # int() refuses numbers of thousands of digits.
        number = int(version) if len(version) < 20 else _MAX_VERSION + 1
        if number > _MAX_VERSION:
            raise invalid(f"Failed to convert version: {version[:30]} to numeric.")
    return _Which(unquote(name), number, unquote(label or ""))


async def _posted(core: Core, which: _Which, method: str, request: Request) -> Response:
    with core.holding() as hold:
        body = await _body(request, core.settings.max_body_bytes, hold)
        with core.catalog.lease(*which) as model:
            if method != "predict":
                raise refuse_method(model, json_requests.refused_examples(body, method), method)
            if len(body) > _INLINE_BYTES:
                asked = await asyncio.to_thread(
                    json_requests.predict_request, body, model.input_name
                )
            else:
                asked = json_requests.predict_request(body, model.input_name)
            outputs = await core.predict(model, asked.signature, asked.rows)
    return _json(json_answers.predict_response(outputs, asked.by_row))


async def _body(request: Request, limit: int, hold: Callable[[int], None]) -> bytes:
    """A request's body, no more than `limit` bytes of it; `hold` is told of what is kept."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > limit:
        raise TooLargeError(limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLargeError(limit)
        hold(len(part))
        parts.append(part)
    return b"".join(parts)


def _status(core: Core, which: _Which) -> Response:
    found = GetModelStatusResponse(model_version_status=core.catalog.status(*which))
    text = MessageToJson(
        found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _json(text.encode())


def _metadata(core: Core, which: _Which) -> Response:
    with core.catalog.lease(*which) as model:
        signatures = SignatureDefMap(signature_def=model.signatures)
        version = model.version
    printed = MessageToDict(
        signatures, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return JSONResponse(
        {
            "model_spec": {"name": which.name, "signature_name": "", "version": str(version)},
            "metadata": {"signature_def": printed},
        }
    )


def _readiness(core: Core) -> Response:
    served = core.catalog.available
    state = "draining" if core.draining else "ready" if served else "no version is served"
    return JSONResponse(
        {"status": state, "versions": served}, status_code=200 if core.ready else 503
    )


def _metrics(core: Core) -> Response:
    page = core.metrics.page(core.catalog.available, core.batcher.queued)
    return Response(page, media_type="text/plain; version=0.0.4")


async def _unknown_path(request: Request, _error: Exception) -> Response:
    return _refusal(404, f"Not found: {request.method} {request.url.path}")


async def _defect(_request: Request, error: Exception) -> Response:
    return _refusal(500, f"{type(error).__name__}: see the server's log")


def _refusal(status: int, message: str, close: bool = False) -> Response:
    answer = _json(json_answers.error_body(message), status)
    if close:
        answer.headers["Connection"] = "close"
    return answer


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
