"""Sends a package to Kubeflow Pipelines, once or by the clock, and follows a run to its end."""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from pipeline.errors import EXIT_USAGE, UserError
from pipeline.kubeflow import client as kubeflow
from pipeline.kubeflow import ending
from pipeline.outcome import INTERRUPTED, Outcome
from pipeline.settings import Settings
from pipeline.tracking import place

if TYPE_CHECKING:
    from kfp import Client
    from kfp_server_api import V2beta1Run

# How long a server that does not answer any more is waited for, seconds.
PATIENCE = 600.0
_PACKAGE = "pipeline.yaml"
_CRON_FIELDS = 6


@dataclass(frozen=True)
class Target:
    """Where a package is sent, and under which names.

    Attributes:
      host: the URL of Kubeflow Pipelines.
      experiment: a name; made if missing.
      name: of the run.
      namespace: of its pods, where the server is shared by several; "" for the server's own.
      ca_cert: that signed the server's certificate; the system's if none.
      reuse: whether results of earlier runs may be reused.
      parameters: what the run is told instead of what was compiled in.
    """

    host: str
    experiment: str
    name: str
    namespace: str = ""
    ca_cert: Path | None = None
    reuse: bool = True
    parameters: Mapping[str, str] | None = None

    @property
    def _arguments(self) -> dict[str, Any]:
        return {
            "params": dict(self.parameters or {}),
            # kfp's True would have nodes reused that never may.
            "enable_caching": None if self.reuse else False,
        }


def submit(connected: "Client", package: str, settings: Settings, target: Target) -> str:
    """Starts a run; returns its id.

    Raises:
      UserError: when the server does not answer, or refuses the package.
    """
    experiment = _experiment(connected, target)
    with _file(package) as path, kubeflow.quietly(), kubeflow.in_one_line(target.host):
        run = connected.run_pipeline(
            experiment, target.name, path, **_common(settings), **target._arguments
        )
    return str(run.run_id)


def schedule(
    connected: "Client", package: str, settings: Settings, target: Target, cron: str, at_once: int
) -> str:
    """Has runs started by the clock; returns the id of the recurring run.

    Args:
      connected: to the server.
      package: as YAML.
      settings: of the run.
      target: where it is sent.
      cron: six fields, of which the first are seconds.
      at_once: how many may run at the same time.

    Raises:
      UserError: when the server does not answer, or refuses the package or the times.
    """
    experiment = _experiment(connected, target)
    with _file(package) as path, kubeflow.quietly(), kubeflow.in_one_line(target.host):
        made = connected.create_recurring_run(
            experiment,
            target.name,
            cron_expression=cron,
            max_concurrency=at_once,
            # After a pause one run brings everything up to date.
            no_catchup=True,
            pipeline_package_path=path,
            **_common(settings),
            **target._arguments,
        )
    return str(made.recurring_run_id)


def check_cron(cron: str) -> None:
    """Refuses what is no time for Kubeflow.

    Raises:
      UserError: with exit code 2.
    """
    if len(cron.split()) != _CRON_FIELDS and not cron.startswith("@"):
        raise UserError(
            f"--cron {cron!r}: Kubeflow wants six fields, the first of them seconds, as in "
            "'0 0 3 * * 1'",
            EXIT_USAGE,
        )


def run_url(host: str, run_id: str) -> str:
    """The page of a run."""
    return f"{host.rstrip('/')}/#/runs/details/{run_id}"


def follow(
    connected: "Client",
    host: str,
    run_id: str,
    nodes: Iterable[str],
    console: Console,
    every: float,
) -> "V2beta1Run":
    """Shows a run's nodes as they end; returns the run once it ended.

    Raises:
      UserError: when the server does not answer any more; the run goes on.
    """
    nodes = list(nodes)
    shown: set[str] = set()
    with console.status("Waiting for the first node") as status:
        while True:
            run = _asked(connected, host, run_id)
            tasks = ending.tasks_of(run, nodes)
            for name, task in tasks.items():
                if task.state in ending.ENDED and name not in shown:
                    shown.add(name)
                    console.print(_line(name, task, max(map(len, nodes))), soft_wrap=True)
            if run.state in ending.ENDED:
                return run
            running = [name for name in nodes if name in tasks and name not in shown]
            status.update(escape(", ".join(running) or "Waiting for the next node"))
            time.sleep(every)


def end(
    settings: Settings, run: "V2beta1Run", nodes: Iterable[str], workdir: Path
) -> tuple[Outcome, str]:
    """How a followed run ended, and what is to be said of its record in MLflow, or "".

    Args:
      settings: of the run.
      run: that ended.
      nodes: of the graph.
      workdir: on this machine; a record that cannot be delivered is kept there.
    """
    where = _place(settings, workdir)
    if run.state == ending.SUCCEEDED:
        found = ending.of_record(where, run.run_id) if settings.tracking.enabled else None
        return found or ending.UNKNOWN, ""
    ended = ending.of_failed(run, nodes)
    if not settings.tracking.enabled:
        return ended, ""
    return ended, ending.record_failure(settings, where, run, nodes, ended)


def said(ended: Outcome) -> str:
    """The sentence of a run that ended."""
    return "stopped by somebody" if ended.sentence == INTERRUPTED else ended.sentence


def _place(settings: Settings, workdir: Path) -> place.Place:
    """MLflow as it is reached from here, which may be by another name than from the pods."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # it tells of every table it makes
    here = os.environ.get(place.URI_VARIABLE) or settings.tracking.uri
    return place.of(settings.tracking.model_copy(update={"uri": here}), workdir)


def _asked(connected: "Client", host: str, run_id: str) -> "V2beta1Run":
    attempts = Retrying(
        retry=retry_if_exception(kubeflow.is_passing),
        wait=wait_exponential(max=30),
        stop=stop_after_delay(PATIENCE),
        reraise=True,
    )

    def ask() -> "V2beta1Run":
        with kubeflow.in_one_line(host):
            return connected.get_run(run_id)

    try:
        return attempts(ask)
    except UserError as error:
        raise UserError(f"{error}; the run goes on: {run_url(host, run_id)}") from error


def _line(name: str, task: Any, width: int) -> str:
    name = name.ljust(width)
    if task.state == ending.FAILED:
        return f"[red]✗[/] {name} [red]failed[/]"
    if task.state != ending.SUCCEEDED:
        return f"[dim]- {name} {task.state.lower()}[/]"
    if task.start_time and task.end_time:
        return f"[green]✓[/] {name} {(task.end_time - task.start_time).total_seconds():7.1f} s"
    return f"[green]✓[/] {name}"


def _experiment(connected: "Client", target: Target) -> str:
    with kubeflow.quietly(), kubeflow.in_one_line(target.host):
        made = connected.create_experiment(target.experiment, namespace=target.namespace or None)
    return str(made.experiment_id)


def _common(settings: Settings) -> dict[str, Any]:
    chosen = settings.kubeflow
    return {"pipeline_root": chosen.pipeline_root, "service_account": chosen.service_account}


@contextmanager
def _file(package: str) -> Iterator[str]:
    """A package as the file that kfp reads it from."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, _PACKAGE)
        path.write_text(package, encoding="utf-8")
        yield str(path)
