"""What is on record in the MLflow of a work folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import mlflow
from mlflow.entities import Run
from mlflow.tracking import MlflowClient


def _uri(workdir: Path) -> str:
    return f"sqlite:///{workdir / 'mlflow' / 'mlflow.db'}"


def all_runs(workdir: Path) -> list[Run]:
    """Newest first."""
    client = MlflowClient(_uri(workdir), _uri(workdir))
    experiment = client.get_experiment_by_name("agegender")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def tree(workdir: Path) -> list[Run]:
    """The last run of the pipeline, then the runs inside it, newest first."""
    runs = all_runs(workdir)
    outer = next(run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    parents = {run.info.run_id: run.data.tags.get("mlflow.parentRunId") for run in runs}

    def is_inside(run: Run) -> bool:
        parent = parents[run.info.run_id]
        return parent == outer.info.run_id or parents.get(parent) == outer.info.run_id

    return [outer, *(run for run in runs if is_inside(run))]


def named(runs: Sequence[Run], name: str) -> Run:
    """The one whose name begins so."""
    (found,) = (run for run in runs if run.info.run_name.startswith(f"{name} "))
    return found


def curve(workdir: Path, run: Run, metric: str) -> list[int]:
    """The steps of a metric's history."""
    client = MlflowClient(_uri(workdir), _uri(workdir))
    return [point.step for point in client.get_metric_history(run.info.run_id, metric)]


def artifacts(run: Run) -> Path:
    """The folder of a run's artifacts."""
    return Path(urlparse(run.info.artifact_uri).path)


def champion(workdir: Path) -> Any:
    """The registered model that is served, loaded by its alias."""
    mlflow.set_tracking_uri(_uri(workdir))
    try:
        return mlflow.pyfunc.load_model("models:/agegender@champion")
    finally:
        mlflow.set_tracking_uri(None)
