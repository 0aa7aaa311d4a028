"""MLflow's own page on the right store."""

import os
import subprocess
import sys

from pipeline.errors import UserError
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
        print(f"MLflow is at {where.uri}")
        return 0
    if where.is_local and not where.journals.exists():
        raise UserError(f"nothing is on record in {where.journals.parent}: run `agegender run`")
    print(f"MLflow at http://{host}:{port} shows {where.uri}; Ctrl-C ends it", flush=True)
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
