"""The server's life: load, listen, watch for versions, and end without dropping a request."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import grpc
import uvicorn
import uvloop
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from pipeline.errors import UserError
from serving.server.batching import Batcher
from serving.server.catalog import Catalog
from serving.server.core import Core
from serving.server.grpc_api import ModelService, PredictionService
from serving.server.metrics import Metrics
from serving.server.model import Model
from serving.server.rest import application
from serving.server.settings import ServerSettings
from serving.server.unparsed import UnparsedInterceptor

_HEALTH_NAMES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
_SPARE_RPCS = 64
_MAX_ANSWER_BYTES = 256 * 2**20


def serve(settings: ServerSettings, sock: socket.socket) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code.

    Args:
      settings: what it is told.
      sock: bound to the REST port; nothing can connect before a version is served.

    Raises:
      UserError: when no version loads, or gRPC's port is taken meanwhile.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, sock))


def core_of(settings: ServerSettings) -> Core:
    """A server's parts, nothing loaded yet; made within its event loop."""
    metrics = Metrics()
    batcher = Batcher(
        settings.max_batch_size,
        settings.max_batch_wait_ms,
        settings.max_queued,
        settings.batch_threads,
        metrics.batch,
    )
    catalog = Catalog(
        settings.base_path,
        settings.model_name,
        settings.keep,
        settings.labels,
        partial(_load, settings.max_batch_size),
        _say,
    )
    return Core(settings, catalog, batcher, metrics)


async def _serve(settings: ServerSettings, sock: socket.socket) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    core = core_of(settings)
    stopped = asyncio.create_task(stop.wait())
    loading = asyncio.create_task(core.catalog.refresh())
    await asyncio.wait({stopped, loading}, return_when=asyncio.FIRST_COMPLETED)
    if loading.done():
        loading.result()
        _require_a_version(core)
        services, healthy, grpc_port = _grpc_server(core)
        await services.start()
        rest = _Rest(_rest_config(core))
        listening = asyncio.create_task(rest.serve(sockets=[sock]))
        watching = asyncio.create_task(core.catalog.watch(settings.poll_seconds))
        await _tell_health(healthy, HealthCheckResponse.SERVING)
        at = (
            f"http://{settings.host}:{sock.getsockname()[1]} and grpc://{settings.host}:{grpc_port}"
        )
        _say(f"{settings.model_name} at {at}; Ctrl-C ends it")

        await asyncio.wait({stopped, listening, watching}, return_when=asyncio.FIRST_COMPLETED)
        core.draining = True
        await _tell_health(healthy, HealthCheckResponse.NOT_SERVING)
        _say("stopping: requests at work are answered first")
        rest.should_exit = True
        await asyncio.gather(services.stop(settings.drain_seconds), listening)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    await core.batcher.close()
    await core.catalog.close()
    return 0


def _load(max_batch: int, folder: Path, version: int) -> Model:
    model = Model(folder, version)
    try:
        model.warm_up(folder, max_batch)
    except BaseException:
        model.close()
        raise
    return model


def _require_a_version(core: Core) -> None:
    if core.catalog.available:
        return
    why = "; ".join(f"version {n}: {said}" for n, said in core.catalog.failures().items())
    raise UserError(f"no version in {core.catalog.base_path} loads: {why or 'they went away'}")


def _grpc_server(core: Core) -> tuple[grpc.aio.Server, health.HealthServicer, int]:
    settings = core.settings
    server = grpc.aio.server(
        interceptors=[UnparsedInterceptor()],
        options=[
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.max_send_message_length", _MAX_ANSWER_BYTES),
            ("grpc.so_reuseport", 0),  # a second server must not share the port unseen
        ],
        # Messages are in memory before they are refused; health checks must get through.
        maximum_concurrent_rpcs=settings.max_requests + _SPARE_RPCS,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(core), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(core), server)
    healthy = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        return server, healthy, server.add_insecure_port(f"{host}:{settings.grpc_port}")
    except RuntimeError as error:
        raise UserError(
            f"{host}:{settings.grpc_port} cannot be listened at: choose another --port"
        ) from error


async def _tell_health(servicer: health.HealthServicer, status: int) -> None:
    for name in _HEALTH_NAMES:
        await servicer.set(name, status)


def _rest_config(core: Core) -> uvicorn.Config:
    return uvicorn.Config(
        application(core),
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(core.settings.drain_seconds),
    )


class _Rest(uvicorn.Server):
    """Leaves signals to us: both protocols end together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _say(line: str) -> None:
    print(line, flush=True)
