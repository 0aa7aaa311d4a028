"""Runs on record, on a terminal of 80 columns."""

import io
import re

import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from pipeline import runs, settings
from pipeline.errors import EXIT_PUBLISHED
from pipeline.record import Artifact, NodeRun
from pipeline.tracking import experiment, journal, place
from pipeline.tracking.place import Place, Tracking
from pipeline.tracking.recorder import Recorder
from tests.pipeline.test_tuning import MODEL, SEARCH, TRIALS
from trainer import trials
from trainer.progress import Progress, Search

DATA = "photographs-of-the-autumn-exhibition.tar.gz"


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An MLflow that holds one run with a search of three trials, of which the second failed."""
    results = tmp_path_factory.mktemp("results")
    trials.write(results / trials.SEARCH_FILE, SEARCH.model_dump_json())
    trials.write(results / trials.TRIALS_FILE, trials.as_lines(TRIALS))
    outputs = {"tuner_results": Artifact(1, str(results), {})}
    search = NodeRun(1, "COMPLETE", 8.0, outputs, {}, {}, "first time")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(place.URI_VARIABLE, raising=False)
        patch.setattr("pipeline.tracking.courier.EVERY", 0.1)
        clock = iter(range(1_000_000, 9_000_000, 1000))  # a second between any two events
        patch.setattr(journal, "now", lambda: next(clock))
        where = place.of(Tracking(), tmp_path_factory.mktemp("work"))
        told = settings.load("sample", {"tracking.system_seconds": 0}, ["training.epochs=7"])
        recorder = Recorder(told, where, DATA)
        for trial in (1, 2, 3):
            for epoch in (1, 2):
                recorder.trained(of_trial(trial, epoch))
        recorder.finished(f"Tuner_{MODEL}", search, None)
        recorder.trained(Progress(MODEL, 1, 7, 0, 10, {}, logs={"val_loss": 1.0}))
        figures = {"test/age_mae": 4.549, "test/gender_accuracy": 0.94, "score": 1.2}
        recorder._write(journal.metrics(recorder.record, figures))
        assert recorder.close(EXIT_PUBLISHED, "published", "published version 1", None) == ""
    return where


def of_trial(trial: int, epoch: int) -> Progress:
    search = Search(trial, 3, "", 0.0, 60.0, TRIALS[trial - 1].hyperparameters)
    return Progress(MODEL, epoch, 2, 0, 10, {}, logs={"val_score": 1.0 + trial}, search=search)


def console() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=80, highlight=False), written


def test_a_run_is_one_line_whatever_its_data_are_called(where: Place) -> None:
    to, written = console()
    assert runs.run_list(where, as_json=False, limit=20, console=to) == 0
    _, head, _, line, *_ = written.getvalue().splitlines()
    assert head.split() == [
        *("id", "started", "data", "profile", "state", "age", "gender", "took"),
    ]
    assert re.search(r"photographs-o\S*… sample  published 4\.55  94\.0%", line)


def test_a_tree_shows_each_trial_as_long_as_it_took(where: Place) -> None:
    to, written = console()
    assert runs.run_show(where, "last", as_json=False, console=to) == 0
    lines = written.getvalue().splitlines()
    shown = [re.sub(r".*trial", "trial", line).strip() for line in lines if " trial 0" in line]
    assert [re.sub(r"\d+ s", "N s", line) for line in shown] == [
        f"trial 01 {MODEL}  N s  val score 2.000",
        f"trial 02 {MODEL}  failed  N s",
        f"trial 03 {MODEL}  N s  val score 1.500",
    ]
    first, second, _ = (int(re.findall(r"(\d+) s", line)[0]) for line in shown)
    assert first == second  # each to its own end, not to that of the search
    assert max(map(len, lines)) <= 80
    (changed,) = (line for line in lines if "epochs" in line and "training" in line)
    assert changed.split() == ["training.epochs", "7"]
    assert not any(line.strip().startswith("thresholds.") for line in lines)  # as the profile says


def test_mlflows_page_is_opened_on_the_runs_and_their_figures(where: Place) -> None:
    client = MlflowClient(where.uri, where.uri)
    found = client.get_experiment_by_name(where.experiment)
    assert found
    opened = experiment.page(client, where, "http://127.0.0.1:5000")
    assert opened.startswith(f"http://127.0.0.1:5000/#/experiments/{found.experiment_id}/runs?")
    assert "workflowType=machine_learning" in opened
    (key,) = re.findall("viewStateShareKey=(.+)", opened)
    assert "metrics.`test/age_mae`" in found.tags[f"mlflow.sharedViewState.{key}"]
