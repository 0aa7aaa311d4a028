"""Where records are kept: an MLflow server, or a database and a folder in the work folder."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from pipeline.errors import UserError
from trainer.hyperparameters import Strict

FOLDER = "mlflow"  # below the work folder
_LAST = "tracking.json"  # there: the settings of the last run that was recorded
_DATABASE = re.compile(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?:")
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^/\s]*@")
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
      is_local: whether it is the default store in the work folder.
    """

    uri: str
    artifacts: str | None
    journals: Path
    experiment: str
    is_local: bool

    @property
    def is_used(self) -> bool:
        """Whether anything may be on record there."""
        return not self.is_local or Path(self.uri.removeprefix("sqlite:///")).exists()

    @property
    def shown(self) -> str:
        """Its URI as it may be printed."""
        return without_password(self.uri)


def of(tracking: Tracking, workdir: Path) -> Place:
    """The place that settings and environment name."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    folder = workdir.absolute() / FOLDER
    given = tracking.uri or os.environ.get(URI_VARIABLE)
    uri = given or f"sqlite:///{folder / 'mlflow.db'}"
    # A database alone keeps no files, and MLflow's client would put them where one happens to be.
    is_database = _DATABASE.match(uri) is not None
    artifacts = (folder / "artifacts").as_uri() if is_database else None
    return Place(uri, artifacts, folder / "journals", tracking.experiment, is_local=not given)


def of_last_run(workdir: Path, uri: str | None = None) -> Place:
    """The place where the last run in a work folder was recorded.

    Args:
      workdir: of the run.
      uri: another MLflow, with the same experiment.

    Raises:
      UserError: when what the run left of its settings is no such thing.
    """
    file = workdir / FOLDER / _LAST
    try:
        last = Tracking.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        last = Tracking.model_construct()
    except (OSError, ValidationError) as error:
        raise UserError(f"{file} cannot be read ({_reason(error)}): remove it") from error
    return of(last.model_copy(update={"uri": uri}) if uri else last, workdir)


def remember(tracking: Tracking, workdir: Path) -> None:
    """Leaves in a work folder what `of_last_run` asks for.

    Its owner's alone: a URI may hold a password.
    """
    file = workdir / FOLDER / _LAST
    file.parent.mkdir(parents=True, exist_ok=True)
    staged = file.with_suffix(".part")
    staged.unlink(missing_ok=True)
    staged.touch(mode=0o600)
    staged.write_text(tracking.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(staged, file)


def without_password(uri: str) -> str:
    """A URI as it may be printed."""
    return _PASSWORD.sub(r"\1***@", uri)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return str(error)
