"""MLflow's own page on the right store."""

import os
import subprocess
import sys

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipeline.errors import UserError
from pipeline.tracking import experiment
from pipeline.tracking.place import Place

_HTTP = ("http://", "https://")


def run_page(where: Place, host: str, port: int) -> int:
    """Serves the page until it is interrupted; says where it is when a server already does.

    Args:
      where: MLflow.
      host: the address to listen at.
      port: the port.

    Raises:
      UserError: when there is nothing on record yet.
    """
    if where.uri.startswith(_HTTP):
        print(f"MLflow is at {_page(where, where.shown.rstrip('/'))}")
        return 0
    if where.is_local and not where.journals.exists():
        raise UserError(f"nothing is on record in {where.journals.parent}: run `agegender run`")
    print(f"MLflow shows {where.shown}; Ctrl-C ends it. In some seconds, open")
    print(_page(where, f"http://{host}:{port}"), flush=True)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", where.uri),
        *("--host", host, "--port", str(port), "--workers", "1"),
    ]
    if where.artifacts:
        command += ["--default-artifact-root", where.artifacts]
    # Its workers for conversations with language models are of no use here.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0


def _page(where: Place, server: str) -> str:
    """Where the runs are below the address of a server, as far as it can be asked."""
    try:
        return experiment.page(MlflowClient(where.uri, where.uri), where, server)
    except MlflowException:
        return server
