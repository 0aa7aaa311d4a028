"""The graph on Kubeflow Pipelines."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import Assignments, Limit
from pipeline.errors import EXIT_USAGE, UserError

if TYPE_CHECKING:
    from pipeline.kubeflow.submission import Target
    from pipeline.settings import Settings

app = typer.Typer(
    name="kubeflow", help="Run the same pipeline on Kubeflow Pipelines.", no_args_is_help=True
)

Profile = Annotated[str, typer.Option(help="Whose settings hold.")]
Data = Annotated[str | None, typer.Option(help="Where pods find the photographs, a whole path.")]
Host = Annotated[
    str,
    typer.Option(
        envvar="KF_PIPELINES_ENDPOINT",
        help="URL of Kubeflow Pipelines; a token for it is taken from KFP_TOKEN.",
    ),
]
Package = Annotated[
    Path | None, typer.Option(help="What `compile` wrote; without it, compiled now.")
]
Experiment = Annotated[str, typer.Option(help="Kubeflow's name for the runs; made if missing.")]
Name = Annotated[str | None, typer.Option(help="Of the run; without it, profile and time.")]
Namespace = Annotated[str, typer.Option(help="Of the pods, where several share Kubeflow.")]
CaCert = Annotated[Path | None, typer.Option(help="What signed the server's certificate.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Reuse nothing of earlier runs.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="Tell the run something; repeatable."),
]


@app.command("compile")
def compile_(
    out: Annotated[Path, typer.Option(help="Where to.")] = Path("agegender.yaml"),
    profile: Profile = "kubeflow",
    data: Data = None,
    limit: Limit = None,
    set_: Assignments = None,
) -> None:
    """Compile the pipeline to a package, that Kubeflow's own page takes too."""
    settings = _settings(profile, data, limit, set_)
    from pipeline.kubeflow.command import run_compile

    raise typer.Exit(run_compile(settings, out))


@app.command()
def submit(
    host: Host,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the run, and end as it ends.")
    ] = False,
    package: Package = None,
    profile: Profile = "kubeflow",
    data: Data = None,
    limit: Limit = None,
    set_: Assignments = None,
    accept_data: Annotated[
        bool, typer.Option("--accept-data", help="Go on, whatever the data gate says.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why the data are accepted; goes on record.")] = "",
    experiment: Experiment = "agegender",
    name: Name = None,
    namespace: Namespace = "",
    ca_cert: CaCert = None,
    no_cache: NoCache = False,
    param: Parameters = None,
    poll: Annotated[float, typer.Option(min=0.01, help="Seconds between two looks.")] = 10.0,
    workdir: Annotated[
        Path, typer.Option(help="Here; for the record of a failure that MLflow does not take.")
    ] = Path("work"),
) -> None:
    """Start a run.

    With --wait, exit codes are those of `agegender run`: 0 published or already serving, 3 no
    candidate passed, 4 stopped by the data gate, 2 wrong usage or settings, 1 anything else.
    """
    if accept_data != bool(reason.strip()):
        raise UserError('--accept-data and --reason "why" belong together', EXIT_USAGE)
    settings = _settings(profile, data, limit, set_, package)
    parameters = _assigned(param)
    if accept_data and package:
        import getpass

        parameters |= {"accept_reason": reason.strip(), "accepted_by": getpass.getuser()}
    target = _target(settings, host, experiment, name, namespace, ca_cert, no_cache, parameters)
    from pipeline.kubeflow.command import run_submit

    raise typer.Exit(run_submit(settings, target, package, reason.strip(), wait, poll, workdir))


@app.command()
def schedule(
    host: Host,
    cron: Annotated[
        str, typer.Option(help="When: seconds, minutes, hours, day, month, weekday.")
    ] = "0 0 3 * * 1",
    at_once: Annotated[int, typer.Option(min=1, max=10, help="Runs at the same time.")] = 1,
    package: Package = None,
    profile: Profile = "kubeflow",
    data: Data = None,
    limit: Limit = None,
    set_: Assignments = None,
    experiment: Experiment = "agegender",
    name: Name = None,
    namespace: Namespace = "",
    ca_cert: CaCert = None,
    no_cache: NoCache = False,
    param: Parameters = None,
) -> None:
    """Have runs started by the clock: without --cron, Mondays at three."""
    settings = _settings(profile, data, limit, set_, package)
    target = _target(
        settings, host, experiment, name, namespace, ca_cert, no_cache, _assigned(param)
    )
    from pipeline.kubeflow.command import run_schedule

    raise typer.Exit(run_schedule(settings, target, package, cron, at_once))


def _settings(
    profile: str,
    data: str | None,
    limit: int | None,
    assignments: list[str] | None,
    package: Path | None = None,
) -> "Settings":
    from pipeline import settings

    if package and (data or limit or assignments):
        raise UserError(
            "--data, --limit and --set are compiled in: leave out --package, or compile it again",
            EXIT_USAGE,
        )
    overrides = {"data.uri": data, "data.limit": limit}
    given = {key: value for key, value in overrides.items() if value is not None}
    return settings.load(profile, given, assignments or [])


def _assigned(parameters: list[str] | None) -> dict[str, str]:
    told: dict[str, str] = {}
    for one in parameters or []:
        name, equals, value = one.partition("=")
        if not equals:
            raise UserError(f"--param takes name=value, got {one!r}", EXIT_USAGE)
        told[name.strip()] = value
    return told


def _target(
    settings: "Settings",
    host: str,
    experiment: str,
    name: str | None,
    namespace: str,
    ca_cert: Path | None,
    no_cache: bool,
    parameters: dict[str, str],
) -> "Target":
    from pipeline.kubeflow.submission import Target

    return Target(
        host=host,
        experiment=experiment,
        name=name or f"{settings.profile} {time.strftime('%Y-%m-%d %H:%M:%S')}",
        namespace=namespace,
        ca_cert=ca_cert,
        reuse=not no_cache,
        parameters=parameters,
    )
