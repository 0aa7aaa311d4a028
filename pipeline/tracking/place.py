"""Where records are kept: an MLflow server, or a database and a folder in the work folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from trainer.hyperparameters import Strict

FOLDER = "mlflow"  # below the work folder
URI_VARIABLE = "MLFLOW_TRACKING_URI"
# MLflow's own retries of a request, unless the user says otherwise: the journal goes on from where
# a delivery failed, so none needs to wait for minutes.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    # Nothing is told to anybody.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # Our own sampler goes through the journal.
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
    # Progress bars of uploads.
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class Tracking(Strict):
    """What is recorded in MLflow, and where."""

    enabled: bool = True
    uri: str | None = Field(
        None, description=f"of MLflow; {URI_VARIABLE} if none, else in <workdir>/{FOLDER}"
    )
    experiment: str = Field("agegender", min_length=1, description="MLflow's name for the runs")
    system_seconds: float = Field(
        10.0, ge=0, description="between two looks at CPU, memory and GPU; 0 for none"
    )


@dataclass(frozen=True)
class Place:
    """Where MLflow is.

    Attributes:
      uri: its tracking URI.
      artifacts: a URI for the artifacts of a new experiment; None where a server decides.
      journals: the folder of what is to be delivered.
      experiment: the name of the experiment.
    """

    uri: str
    artifacts: str | None
    journals: Path
    experiment: str

    @property
    def is_used(self) -> bool:
        """Whether anything may be on record there."""
        return not self.is_local or Path(self.uri.removeprefix("sqlite:///")).exists()

    @property
    def is_local(self) -> bool:
        """Whether it is the default store in the work folder."""
        return self.artifacts is not None


def of(tracking: Tracking, workdir: Path) -> Place:
    """The place that settings and environment name."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    folder = workdir.absolute() / FOLDER
    journals = folder / "journals"
    if given := tracking.uri or os.environ.get(URI_VARIABLE):
        return Place(given, None, journals, tracking.experiment)
    return Place(
        f"sqlite:///{folder / 'mlflow.db'}",
        (folder / "artifacts").as_uri(),
        journals,
        tracking.experiment,
    )
