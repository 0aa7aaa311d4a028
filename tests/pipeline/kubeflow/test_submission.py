"""The real client of kfp against a server that is held to the API's definition."""

import contextlib
import datetime
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import kfp_server_api as api
import pytest
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.errors import UserError
from pipeline.kubeflow import client, run_record
from pipeline.tracking import journal, place, sync
from tests.pipeline.kubeflow.conftest import CHOSEN
from tests.pipeline.kubeflow.server import RUN_ID, Kfp

T0 = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)


@pytest.fixture
def file(text: str, tmp_path: Path) -> Path:
    path = tmp_path / "agegender.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, which take seconds to make."""
    folder = tmp_path_factory.mktemp("empty")
    where = place.of(place.Tracking(), folder)
    assert where.is_local
    (folder / "mlflow").mkdir()
    MlflowClient(where.uri).search_experiments()
    return folder


@pytest.fixture
def where(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> place.Place:
    """MLflow, as both the cluster and this machine know it."""
    shutil.copytree(empty, tmp_path / "cluster")
    found = place.of(place.Tracking(), tmp_path / "cluster")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", found.uri)
    return found


def agegender(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["kubeflow", *map(str, arguments)])


def submitted(kfp: Kfp, file: Path, *options: str) -> Result:
    return agegender("submit", "--host", kfp.url, "--package", file, *options)


def problem(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    said = str(result.exception)
    assert "\n" not in said
    return said


def task(name: str, state: str, start: int = 0, end: int | None = None, error: str = "") -> Any:
    return api.V2beta1PipelineTaskDetail(
        display_name=name,
        state=state,
        start_time=T0 + datetime.timedelta(seconds=start),
        end_time=None if end is None else T0 + datetime.timedelta(seconds=end),
        error=api.GoogleRpcStatus(code=2, message=error) if error else None,
    )


def seen(state: str, *tasks: Any) -> api.V2beta1Run:
    over = state not in ("PENDING", "RUNNING")
    return api.V2beta1Run(
        run_id=RUN_ID,
        state=state,
        created_at=T0,
        finished_at=T0 + datetime.timedelta(minutes=9) if over else None,
        run_details=api.V2beta1RunDetails(task_details=list(tasks)),
    )


def test_a_run_is_asked_for_in_all_its_parts(
    kfp: Kfp, file: Path, package: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kfp.token = "t0ken"
    monkeypatch.setenv("KFP_TOKEN", "t0ken")
    result = submitted(
        kfp, file, "--experiment", "faces", "--name", "nightly", "--param", "baseline_uri=/mnt/b"
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stdout == f"Run {RUN_ID}: {kfp.url}/#/runs/details/{RUN_ID}\n"
    made = kfp.sent("experiments")
    assert made.to_dict() == api.V2beta1Experiment(
        display_name="faces", experiment_id="experiment-0"
    ).to_dict() | {"namespace": made.namespace}
    run = kfp.sent("runs")
    assert run.experiment_id == "experiment-0"
    assert run.display_name == "nightly"
    assert run.service_account == "trainer"
    assert run.runtime_config.parameters == {"baseline_uri": "/mnt/b"}
    assert run.runtime_config.pipeline_root == "s3://bucket/agegender"
    assert run.pipeline_spec["pipeline_spec"]["root"]["dag"] == package["root"]["dag"]
    pods = run.pipeline_spec["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]
    assert pods["executors"].keys() == package["deploymentSpec"]["executors"].keys()
    assert kfp.headers["authorization"] == "Bearer t0ken"


def test_an_experiment_is_made_once(kfp: Kfp, file: Path) -> None:
    for _ in range(2):
        assert submitted(kfp, file).exit_code == 0
    assert [path for path, _ in kfp.asked] == ["experiments", "runs", "runs"]


def test_a_run_can_reuse_nothing(kfp: Kfp, file: Path) -> None:
    assert submitted(kfp, file, "--no-cache").exit_code == 0
    tasks = kfp.sent("runs").pipeline_spec["pipeline_spec"]["root"]["dag"]["tasks"]
    assert not any(one["cachingOptions"].get("enableCache") for one in tasks.values())


def test_it_is_compiled_where_no_package_is_given(kfp: Kfp) -> None:
    changes = [part for one in CHOSEN for part in ("--set", one)]
    result = agegender(
        *("submit", "--host", kfp.url, "--accept-data", "--reason", "a holiday", *changes)
    )
    assert result.exit_code == 0, result.output
    spec = kfp.sent("runs").pipeline_spec["pipeline_spec"]
    known = spec["root"]["inputDefinitions"]["parameters"]
    assert known["accept_reason"]["defaultValue"] == "a holiday"
    assert known["accepted_by"]["defaultValue"]
    about = spec["root"]["dag"]["tasks"]["ModelCard"]["inputs"]["parameters"]["about"]
    assert "agegender kubeflow submit --profile kubeflow" in str(about)


def test_a_schedule_reads_the_photographs_again_each_time(kfp: Kfp) -> None:
    plain = [one for one in CHOSEN if not one.startswith("kubeflow.data_fingerprint")]
    changes = [part for one in plain for part in ("--set", one)]
    result = agegender(
        "schedule", "--host", kfp.url, "--cron", "0 30 2 * * *", "--at-once", 2, *changes
    )
    assert result.exit_code == 0, result.output
    assert "recurring-1" in result.output
    made = kfp.sent("recurringruns")
    assert made.trigger.cron_schedule.cron == "0 30 2 * * *"
    assert made.trigger.periodic_schedule is None
    assert (made.mode, made.no_catchup, str(made.max_concurrency)) == ("ENABLE", True, "2")
    spec = made.pipeline_spec["pipeline_spec"]
    assert not spec["root"]["dag"]["tasks"]["FaceExampleGen"].get("cachingOptions")


def test_a_run_is_followed_to_what_its_recorder_said(
    kfp: Kfp, file: Path, where: place.Place
) -> None:
    record = run_record.name(RUN_ID)
    told = {"exit_code": "3", "outcome": "nothing published: no candidate passed"}
    begun = journal.Start(record=record, name="x", at=journal.now())
    assert sync.told(where, "before", begun, journal.Tags(record=record, values=told)) == ""
    first = task("FaceExampleGen", "SUCCEEDED", 0, 35)
    kfp.seen = [
        seen("PENDING"),
        seen("RUNNING", task("root", "RUNNING"), first, task("face-driver", "SUCCEEDED", 0, 1)),
        seen("RUNNING", first, task("trainer-age-cnn", "SUCCEEDED", 40, 100)),
        seen("SUCCEEDED", first, task("trainer-age-cnn", "SUCCEEDED", 40, 100)),
    ]
    result = submitted(kfp, file, "--wait", "--poll", "0.01")
    assert result.exit_code == 3, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()[1:]]
    assert lines == [
        "✓ FaceExampleGen 35.0 s",
        "✓ Trainer_age_cnn 60.0 s",
        "Nothing published: no candidate passed",
    ]


@pytest.mark.usefixtures("where")
def test_a_success_nobody_can_tell_more_of_is_said_to_be_that(kfp: Kfp, file: Path) -> None:
    kfp.seen = [seen("SUCCEEDED")]
    result = submitted(kfp, file, "--wait")
    assert result.exit_code == 0
    assert "MLflow, which knows whether it published, cannot be asked" in result.output


@pytest.mark.parametrize(
    ("tasks", "state", "code", "said", "tags"),
    [
        (
            [task("DataGate", "FAILED", 0, 9), task("Transform", "SKIPPED")],
            "FAILED",
            4,
            "Stopped by the data gate, nothing was trained",
            {"state": "data gate", "failed_node": "DataGate", "exit_code": "4"},
        ),
        (
            [
                task("Publisher", "FAILED", 0, 70),
                task("Trainer_age_cnn", "FAILED", 0, 60, "OOM\nKilled"),
            ],
            "FAILED",
            1,
            "Stopped: Trainer_age_cnn failed: OOM Killed",
            {"state": "failed", "failed_node": "Trainer_age_cnn", "exit_code": "1"},
        ),
        ([], "FAILED", 1, "Stopped: the run failed", {"state": "failed", "exit_code": "1"}),
        ([], "CANCELED", 1, "Stopped by somebody", {"state": "interrupted", "exit_code": "1"}),
    ],
)
def test_a_run_that_fails_is_on_record(
    kfp: Kfp,
    file: Path,
    where: place.Place,
    tasks: list[Any],
    state: str,
    code: int,
    said: str,
    tags: dict[str, str],
) -> None:
    kfp.seen = [seen(state, *tasks)]
    result = submitted(kfp, file, "--wait")
    assert result.exit_code == code, result.output
    assert result.stdout.splitlines()[-1].strip() == said
    (run,) = MlflowClient(where.uri).search_runs(["1"])
    assert tags.items() <= run.data.tags.items()
    assert run.data.tags["kubeflow.run_id"] == RUN_ID
    assert run.info.status == ("KILLED" if state == "CANCELED" else "FAILED")
    assert run.info.end_time - run.info.start_time == 9 * 60 * 1000
    assert run.data.params["profile"] == "kubeflow"


def test_a_failure_that_mlflow_does_not_take_is_kept(
    kfp: Kfp, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{_free()}")
    kfp.seen = [seen("FAILED")]
    result = submitted(kfp, file, "--wait")
    assert result.exit_code == 1
    assert "agegender runs sync" in result.output
    assert [one.name for one in (tmp_path / "work" / "mlflow" / "journals").glob("*.jsonl")] == [
        f"{run_record.name(RUN_ID)}.jsonl"
    ]


@pytest.mark.usefixtures("where")
def test_a_server_that_is_away_for_a_moment_is_waited_for(
    kfp: Kfp, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kfp.seen = [seen("SUCCEEDED")]
    asked = client.in_one_line
    once = iter([503])

    def failing_first(host: str) -> Any:
        if kfp.asked and kfp.asked[-1][0] == "runs":
            kfp.refusals += [status for status in (next(once, None),) if status]
        return asked(host)

    monkeypatch.setattr(client, "in_one_line", failing_first)
    result = submitted(kfp, file, "--wait")
    assert result.exit_code == 0, result.output
    assert kfp.refusals == []


def test_who_is_not_let_in_is_told_how(
    kfp: Kfp, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kfp.token = "another"
    said = problem(submitted(kfp, file))
    assert said == f"Kubeflow at {kfp.url} does not let us in (401): set KFP_TOKEN or KFP_COOKIES"
    monkeypatch.setenv("KFP_TOKEN", "t0ken")
    said = problem(submitted(kfp, file))
    assert said.endswith("(401): look at KFP_TOKEN")


def test_a_server_that_is_down_is_one_line(file: Path) -> None:
    host = f"http://127.0.0.1:{_free()}"
    said = problem(agegender("submit", "--host", host, "--package", file))
    assert said == f"Kubeflow at {host} does not answer (Connection refused): look at --host"


def test_a_server_that_is_no_kubeflow_is_one_line(kfp: Kfp, file: Path) -> None:
    said = problem(agegender("submit", "--host", f"{kfp.url}/elsewhere", "--package", file))
    assert "is no Kubeflow Pipelines API" in said


def test_what_the_server_refuses_is_told_in_its_words(kfp: Kfp, file: Path) -> None:
    kfp.refusals = [500]
    assert problem(submitted(kfp, file)).endswith("refused (500): not now")


def test_a_certificate_that_cannot_be_trusted_is_one_line(file: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    host = f"https://127.0.0.1:{listener.getsockname()[1]}"

    def shake_hands() -> None:
        for _ in range(4):  # urllib3 tries again
            with contextlib.suppress(OSError):
                context.wrap_socket(listener.accept()[0], server_side=True).close()

    thread = threading.Thread(target=shake_hands, daemon=True)
    thread.start()
    said = problem(agegender("submit", "--host", host, "--package", file))
    listener.close()
    assert said.startswith(f"the certificate of {host} cannot be trusted")
    assert said.endswith("name its CA with --ca-cert")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "kubeflow.example"), "say http://kubeflow.example or https://"),
        (("--package", "not-there.yaml"), "--package not-there.yaml: cannot be read"),
        (("--param", "epochs=3"), "--param epochs: a run can be told accept_reason, accepted_by"),
        (("--param", "epochs"), "--param takes name=value"),
        (("--ca-cert", "no.pem"), "--ca-cert no.pem: there is no such file"),
        (("--accept-data",), "belong together"),
        (("--set", "kubeflow.volume=x"), "leave out --package, or compile it again"),
    ],
)
def test_mistakes_are_one_line(kfp: Kfp, file: Path, options: tuple[str, ...], said: str) -> None:
    assert said in problem(submitted(kfp, file, *options))
    assert kfp.asked == []


def test_a_package_of_another_version_is_compiled_again(kfp: Kfp, file: Path) -> None:
    file.write_text(file.read_text().replace('"workdir":', '"folder":'))
    assert "was compiled by another version" in problem(submitted(kfp, file))
    assert kfp.asked == []


def test_a_time_kubeflow_does_not_know_is_refused(kfp: Kfp, file: Path) -> None:
    result = agegender("schedule", "--host", kfp.url, "--package", file, "--cron", "0 3 * * 1")
    assert "six fields" in problem(result)


def test_a_file_that_is_no_package_is_one_line(kfp: Kfp, file: Path) -> None:
    file.write_text("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n")
    assert f"{file} is no package of Kubeflow Pipelines" in problem(submitted(kfp, file))


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
