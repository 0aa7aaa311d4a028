"""`agegender serve` against the plain way: requests/s and latencies, at equal answers.

The plain way is a Flask route that decodes one picture and calls model.predict of the same Keras
model (benchmarks/serving_plain.py). Load comes from a process of its own, in turns.

Usage: python -m benchmarks.serving WORKDIR UTKFACE.tar.gz [--seconds 10] [--rounds 1] [--parts]
WORKDIR is the work folder of a finished run that trained --model. --parts shows, instead, where the
time of a request goes.
"""

import argparse
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from components.face_example_gen.sources import read_entries
from pipeline import quiet, record
from serving import versions

quiet.prepare_environment()

from benchmarks.serving_load import pictures_in  # noqa: E402
from benchmarks.serving_parts import print_parts  # noqa: E402
from components.servable_check.warm_up import write_warm_up  # noqa: E402
from trainer.runs import FIGURES_FILE  # noqa: E402

PICTURES = 64
WAYS = (("plain", 1), ("rest", 1), ("grpc", 1), ("rest", 32), ("grpc", 32))


class Figures(NamedTuple):
    """Of one way: pictures/s, requests' latencies and the server's CPU time per picture, in ms."""

    per_second: float
    p50: float
    p95: float
    p99: float
    cpu: float


class Server(NamedTuple):
    """Where it listens, and its process."""

    address: str
    process: psutil.Process


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("workdir", type=Path)
    parser.add_argument("archive")
    parser.add_argument("--model", default="transfer_mobilenet_v2")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--parts", action="store_true")
    arguments = parser.parse_args()
    trainer = record.node(
        record.open_store(arguments.workdir / "metadata.db"), f"Trainer_{arguments.model}"
    )
    if trainer is None or not trainer.succeeded:
        raise SystemExit(f"no finished Trainer_{arguments.model} in {arguments.workdir}")
    with tempfile.TemporaryDirectory() as scratch:
        pictures = _pictures(arguments.archive, Path(scratch, "pictures"))
        servable = trainer.outputs["model"].path / "Format-Serving"
        if arguments.parts:
            figures = json.loads((trainer.outputs["model_run"].path / FIGURES_FILE).read_text())
            print_parts(servable, pictures_in(pictures), figures["store_size"])
            return
        base = Path(scratch, "serving", "agegender")
        version = versions.publish(servable, base)
        write_warm_up(str(base / str(version) / "assets.extra" / "tf_serving_warmup_requests"))
        with _plain(trainer.outputs["model_run"].path) as plain, _serve(base) as (rest, grpc):
            servers = {"plain": plain, "rest": rest, "grpc": grpc}
            _compare(servers, pictures, arguments)


def _compare(servers: dict[str, Server], pictures: Path, arguments: argparse.Namespace) -> None:
    figures: dict[tuple[str, int], list[Figures]] = {way: [] for way in WAYS}
    answers: dict[str, dict[str, list[float]]] = {}
    for _ in range(arguments.rounds):
        for kind, batch in WAYS:
            before = sum(servers[kind].process.cpu_times()[:2])
            found = _load(kind, servers[kind].address, pictures, batch, arguments)
            used = sum(servers[kind].process.cpu_times()[:2]) - before
            if found["refused"]:
                raise SystemExit(f"{kind} refused: {found['refused'][0]}")
            figures[kind, batch].append(_figures(found, used))
            print(f"{kind} {batch}: {figures[kind, batch][-1]}", file=sys.stderr, flush=True)
            answers.setdefault(kind, {}).update(found["answers"])
    _print({way: _median(found) for way, found in figures.items()}, arguments)
    _print_differences(answers)


def _load(
    kind: str, address: str, pictures: Path, batch: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    # A batch of 32 takes 32 times as long; so that enough of them are counted:
    seconds = arguments.seconds * (2 if batch > 1 or kind == "plain" else 1)
    numbers = [str(arguments.clients), str(batch), str(seconds)]
    command = [sys.executable, "-m", "benchmarks.serving_load", kind, address]
    command += [str(pictures), *numbers]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def _figures(found: dict[str, Any], cpu_seconds: float) -> Figures:
    p50, p95, p99 = np.percentile(np.array(found["latencies"]) * 1000, [50, 95, 99])
    cpu = 1000 * cpu_seconds / found["asked"]
    return Figures(found["pictures"] / found["seconds"], p50, p95, p99, cpu)


def _median(found: list[Figures]) -> Figures:
    return Figures(*(statistics.median(values) for values in zip(*found, strict=True)))


def _print(figures: dict[tuple[str, int], Figures], arguments: argparse.Namespace) -> None:
    table = Table(box=box.SIMPLE, title=f"{arguments.clients} clients, {arguments.model}")
    headings = ("batch", "pictures/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms a picture")
    for heading in ("", *headings, "pictures/s", "p99", "CPU"):
        table.add_column(heading, justify="right" if heading else "left")
    plain = figures["plain", 1]
    for (kind, batch), found in figures.items():
        times = found.per_second / plain.per_second
        share = f"{found.p99 / plain.p99:.2f}" if batch == 1 else ""
        latencies = [f"{value:.0f}" for value in (found.p50, found.p95, found.p99)]
        measured = [kind, str(batch), f"{found.per_second:.1f}", *latencies, f"{found.cpu:.1f}"]
        table.add_row(*measured, f"x{times:.1f}", share, f"/{plain.cpu / found.cpu:.1f}")
    Console(width=110).print(table)


def _print_differences(answers: dict[str, dict[str, list[float]]]) -> None:
    for kind in ("rest", "grpc"):
        both = answers["plain"].keys() & answers[kind].keys()
        pairs = [(answers["plain"][one], answers[kind][one]) for one in both]
        age, female = (max(abs(a[i] - b[i]) for a, b in pairs) for i in (0, 1))
        print(
            f"{kind}: of {len(both)} pictures the answers differ from the plain way's by at most "
            f"{age:g} years and {female:.1g} in P(female)"
        )


def _pictures(archive: str, folder: Path) -> Path:
    folder.mkdir(parents=True)
    found = read_entries(archive, lambda name: name.endswith(".jpg"))
    for i, (_, content) in zip(range(PICTURES), found, strict=False):
        if isinstance(content, bytes):
            (folder / f"{i:03}.jpg").write_bytes(content)
    return folder


@contextmanager
def _plain(model_run: Path) -> Iterator[Server]:
    port = _free_port()
    with _running("-m", "benchmarks.serving_plain", str(model_run), str(port)) as process:
        _ready(port, "/")
        yield Server(f"127.0.0.1:{port}", process)


@contextmanager
def _serve(base: Path) -> Iterator[tuple[Server, Server]]:
    port, rest = _free_port(), _free_port()
    options = ["--base-path", str(base), "--port", str(port), "--rest-port", str(rest)]
    with _running("-m", "pipeline", "serve", *options) as process:
        _ready(rest, "/readyz")
        yield Server(f"127.0.0.1:{rest}", process), Server(f"127.0.0.1:{port}", process)


@contextmanager
def _running(*command: str) -> Iterator[psutil.Process]:
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def _ready(port: int, path: str) -> None:
    """Waits until something answers there."""
    for _ in range(1200):
        try:
            httpx.get(f"http://127.0.0.1:{port}{path}")
            return
        except httpx.TransportError:
            time.sleep(0.5)
    raise SystemExit("a server does not start")


if __name__ == "__main__":
    main()
