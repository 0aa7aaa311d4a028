"""A real MLflow server, on sqlite and on PostgreSQL, that dies while a run goes on."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from pipeline import settings as all_settings
from pipeline.errors import EXIT_PUBLISHED
from pipeline.tracking import courier, place, sync
from pipeline.tracking.place import Tracking
from pipeline.tracking.recorder import Recorder
from trainer.progress import Progress

EPOCHS = 12


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Server:
    """`mlflow server`, which can be killed and started again."""

    def __init__(self, store: str, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._command = [
            *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store),
            *("--artifacts-destination", (folder / "artifacts").as_uri()),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"),
        ]
        self._log = (folder / "server.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=self._log, stderr=self._log, start_new_session=True
        )
        until = time.monotonic() + 240
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, "mlflow server ended"
                time.sleep(0.2)
        pytest.fail("mlflow server did not start")

    def kill(self) -> None:
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server on a free port; yields the URI of its database."""
    tools = [*Path("/usr/lib/postgresql").glob("*/bin"), Path("/usr/local/bin"), Path("/usr/bin")]
    found = [tool for tool in tools if (tool / "initdb").exists() and (tool / "postgres").exists()]
    if not found:
        pytest.skip("no PostgreSQL server on this machine")
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("no user postgres to run PostgreSQL as")
        os.chown(folder, user.pw_uid, user.pw_gid)
        for parent in folder.parents:
            if parent.stat().st_mode & 0o001 == 0:
                parent.chmod(parent.stat().st_mode | 0o001)
        as_user = [shutil.which("runuser") or "runuser", "-u", "postgres", "--"]
    data, port = folder / "data", free_port()
    initdb = [str(found[0] / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run([*as_user, *initdb], check=True, capture_output=True, cwd="/")
    server = subprocess.Popen(
        [*as_user, str(found[0] / "postgres"), "-D", str(data), "-p", str(port), "-k", "",
         "-c", "listen_addresses=127.0.0.1", "-F"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < until, "PostgreSQL did not start"
                time.sleep(0.2)
        yield f"postgresql+psycopg2://postgres@127.0.0.1:{port}/postgres"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "sqlite":
        made = Server(f"sqlite:///{tmp_path / 'server.db'}", tmp_path)
        made.start()
        yield made
        made.kill()
        return
    (tmp_path / "pg").mkdir()
    with postgres(tmp_path / "pg") as uri:
        made = Server(uri, tmp_path)
        made.start()
        yield made
        made.kill()


def epoch(number: int) -> Progress:
    logs = {"loss": 1 / number, "val_age_mae": 9.0 - number / 10}
    return Progress("multitask_cnn", number, EPOCHS, 0, 10, {}, logs=logs)


def test_a_server_that_dies_in_a_run_loses_nothing_and_gets_nothing_twice(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "EVERY", 0.1)
    monkeypatch.setattr("pipeline.tracking.recorder.PATIENCE", 0.5)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracking = Tracking(uri=server.uri, system_seconds=0)
    where = place.of(tracking, tmp_path / "work")
    told = all_settings.load("sample", {}, []).model_copy(update={"tracking": tracking})
    recorder = Recorder(told, where, "faces")
    for number in range(1, 5):
        recorder.trained(epoch(number))
    wait_for(lambda: curve(where, recorder) == [1, 2, 3, 4])
    server.kill()
    for number in range(5, 9):
        recorder.trained(epoch(number))
    said = recorder.close(EXIT_PUBLISHED, "published", "published version 1", "a run")
    assert "agegender runs sync" in said
    assert "\n" not in said
    (left,) = sync.waiting(where)
    assert left.entries >= 4
    server.start()
    # While the server was away another run came and went: both are delivered.
    count, refused = sync.deliver(where)
    assert count == left.entries
    assert refused == []
    assert sync.waiting(where) == []
    assert curve(where, recorder) == list(range(1, 9))
    assert sync.deliver(where) == (0, [])
    client = MlflowClient(where.uri, where.uri)
    experiment = client.get_experiment_by_name(where.experiment)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == 2
    outer = next(run for run in found if run.data.tags["agegender.record"] == recorder.record)
    assert outer.data.tags["state"] == "published"
    assert outer.info.status == "FINISHED"
    assert outer.data.params["training.epochs"] == str(told.training.epochs)


def curve(where: place.Place, recorder: Recorder) -> list[int]:
    """The steps of the one curve there is, as often as they are on record."""
    client = MlflowClient(where.uri, where.uri)
    experiment = client.get_experiment_by_name(where.experiment)
    if experiment is None:
        return []
    tag = f"tags.`agegender.record` = '{recorder.record}/Trainer_multitask_cnn'"
    found = client.search_runs([experiment.experiment_id], tag)
    if not found:
        return []
    points = client.get_metric_history(found[0].info.run_id, "epoch/val_age_mae")
    return sorted(point.step for point in points)


def wait_for(condition: object, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.1)
