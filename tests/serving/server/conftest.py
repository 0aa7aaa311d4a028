import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from components.servable_check.warm_up import write_warm_up
from serving import versions
from tests.components.servable_check import servables

ROOT = Path(__file__).parents[3]


class Running(NamedTuple):
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    rest: str
    grpc: str
    log: Path

    def said(self, text: str, seconds: float = 60) -> bool:
        """Whether it says this, in time."""
        until = time.monotonic() + seconds
        while text not in self.log.read_text():
            if time.monotonic() > until or self.process.poll() is not None:
                return text in self.log.read_text()
            time.sleep(0.05)
        return True


def export(folder: Path, years: float = 100.0) -> Path:
    """A tiny servable that finds `years` years in white, warm-up requests included."""

    def older(answers: servables.Answers) -> servables.Answers:
        return answers | {"age": answers["age"] * (years / 100)}

    servables.export(folder, older)
    write_warm_up(str(folder / "assets.extra" / "tf_serving_warmup_requests"))
    return folder


@pytest.fixture(scope="session")
def servable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("servable") / "model")


@pytest.fixture(scope="session")
def other_servable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It finds people half as old."""
    return export(tmp_path_factory.mktemp("servable") / "model", years=50.0)


@pytest.fixture
def base_path(tmp_path: Path, servable: Path) -> Path:
    """A folder with version 1."""
    folder = tmp_path / "serving" / "agegender"
    versions.publish(servable, folder)
    return folder


@contextmanager
def serving(base_path: Path, log: Path, *options: str) -> Iterator[Running]:
    """`agegender serve` until the block ends."""
    command = [sys.executable, "-m", "pipeline", "serve", "--base-path", str(base_path)]
    ports = ["--port", "0", "--rest-port", "0", "--poll-seconds", "0.1"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, *ports, *options], stdout=out, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        )
    try:
        running = Running(process, "", "", log)
        assert running.said("Ctrl-C", seconds=120), log.read_text()
        words = next(line for line in log.read_text().splitlines() if "Ctrl-C" in line).split()
        rest, grpc = words[2], words[4].rstrip(";").removeprefix("grpc://")
        yield running._replace(rest=rest, grpc=grpc)
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def server(servable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server of one version, for whoever does not change it."""
    folder = tmp_path_factory.mktemp("server")
    versions.publish(servable, folder / "agegender")
    with serving(folder / "agegender", folder / "log", "--max-pixels", "10000") as running:
        yield running
