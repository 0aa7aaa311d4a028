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
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from pipeline import settings as all_settings
from pipeline.errors import EXIT_NO_WINNER, EXIT_PUBLISHED, UserError
from pipeline.runs import run_sync
from pipeline.tracking import courier, delivery, journal, place, sync
from pipeline.tracking.place import Tracking
from pipeline.tracking.recorder import Recorder
from trainer.progress import Progress

EPOCHS = 200  # enough that a server can die in the middle of their delivery


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
    (path,) = where.journals.glob("*.jsonl")
    for number in range(1, EPOCHS - 3):
        recorder.trained(epoch(number))
    wait_for(lambda: len(curve(where, recorder)) > 10)
    server.kill()
    assert delivery.undelivered(path) > 0, "it did not die in the middle"
    for number in range(EPOCHS - 3, EPOCHS + 1):
        recorder.trained(epoch(number))
    said = recorder.close(EXIT_PUBLISHED, "published", "published version 1", "a run")
    assert "agegender runs sync" in said
    assert "\n" not in said
    # While the server is away another run comes and goes.
    monkeypatch.setattr("os.getpid", lambda: 0)
    other = Recorder(told, where, "faces")
    other.close(EXIT_NO_WINNER, "no winner", "nothing published", "another run")
    with pytest.raises(UserError, match="does not answer"):
        run_sync(where)
    waiting = sum(left.entries for left in sync.waiting(where))
    written = [
        entry for path in where.journals.glob("*.jsonl") for entry, _ in journal.entries(path)
    ]
    assert 0 < waiting < len(written)
    server.start()
    assert sync.deliver(where) == (waiting, [])
    assert sync.waiting(where) == []
    assert sync.deliver(where) == (0, [])
    assert curve(where, recorder) == list(range(1, EPOCHS + 1))
    check_record(where, written)


def check_record(where: place.Place, written: list[journal.Entry | None]) -> None:
    """Holds what MLflow knows to what was written down: all of it, and nothing besides."""
    client = MlflowClient(where.uri, where.uri)
    experiment = client.get_experiment_by_name(where.experiment)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    runs = {run.data.tags["agegender.record"]: run for run in found}
    begun = [entry.record for entry in written if isinstance(entry, journal.Start)]
    assert sorted(run.data.tags["agegender.record"] for run in found) == sorted(begun)
    points: dict[tuple[str, str], list[tuple[int, float, int]]] = defaultdict(list)
    for entry in written:
        assert entry
        run = runs[entry.record]
        match entry:
            case journal.Metrics():
                for key, value in entry.values.items():
                    points[entry.record, key].append((entry.step, value, entry.at))
            case journal.Parameters():
                assert entry.values.items() <= run.data.params.items()
            case journal.Tags():
                assert entry.values.items() <= run.data.tags.items()
            case journal.Files():
                names = [file.path for file in client.list_artifacts(run.info.run_id, entry.folder)]
                assert names == [f"{entry.folder}/{Path(entry.path).name}"]
            case journal.End():
                assert (run.info.status, run.info.end_time) == (entry.status, entry.at)
    for (record, key), expected in points.items():
        history = client.get_metric_history(runs[record].info.run_id, key)
        assert sorted((one.step, one.value, one.timestamp) for one in history) == sorted(expected)
    assert sum(len(run.data.metrics) for run in found) == len(points)


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
