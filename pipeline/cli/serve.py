"""Answering about published models."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    base_path: Annotated[
        Path, typer.Option(help="The folder whose numeric subfolders are the versions.")
    ] = Path("work/serving/agegender"),
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="gRPC's; 0 takes a free one.")] = 8500,
    rest_port: Annotated[int, typer.Option(help="REST's; 0 takes a free one.")] = 8501,
    keep: Annotated[int, typer.Option(help="Serve so many of the newest versions.")] = 1,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VERSION", help="Serve a version by name too; repeatable."),
    ] = None,
    poll_seconds: Annotated[float, typer.Option(help="How often to look for versions.")] = 1.0,
    max_batch_size: Annotated[
        int, typer.Option(help="Pictures in a request, and in a batch made of several.")
    ] = 64,
    max_batch_wait_ms: Annotated[
        float, typer.Option(help="The longest a picture waits for others.")
    ] = 2.0,
    batch_threads: Annotated[
        int | None, typer.Option(help="Batches at work at once (default: one per core).")
    ] = None,
    max_queued: Annotated[int, typer.Option(help="Pictures that may wait.")] = 1024,
    max_requests: Annotated[int, typer.Option(help="Requests at work at once.")] = 256,
    max_body_bytes: Annotated[int, typer.Option(help="Of one request.")] = 16 * 2**20,
    max_held_bytes: Annotated[int, typer.Option(help="Of all bodies at work over REST.")] = 256
    * 2**20,
    max_pixels: Annotated[int, typer.Option(help="Of one picture.")] = 16_000_000,
    request_seconds: Annotated[float, typer.Option(help="The longest a request takes.")] = 30.0,
    drain_seconds: Annotated[
        float, typer.Option(help="What requests at work are given when it is told to stop.")
    ] = 30.0,
    verbose: Annotated[bool, typer.Option(help="Show the logs of TensorFlow.")] = False,
) -> None:
    """Answer over gRPC and REST as TF Serving does, without Docker, until Ctrl-C or SIGTERM."""
    from serving.server.command import run_serve

    options = {
        "host": host,
        "grpc_port": port,
        "rest_port": rest_port,
        "keep": keep,
        "poll_seconds": poll_seconds,
        "max_batch_size": max_batch_size,
        "max_batch_wait_ms": max_batch_wait_ms,
        "batch_threads": batch_threads,
        "max_queued": max_queued,
        "max_requests": max_requests,
        "max_body_bytes": max_body_bytes,
        "max_held_bytes": max_held_bytes,
        "max_pixels": max_pixels,
        "request_seconds": request_seconds,
        "drain_seconds": drain_seconds,
    }
    given = {name: value for name, value in options.items() if value is not None}
    raise typer.Exit(run_serve(base_path, label or [], given, verbose))
