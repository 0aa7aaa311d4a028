"""What `agegender kubeflow ...` does."""

import getpass
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline import quiet
from pipeline.errors import EXIT_ERROR, EXIT_USAGE, UserError
from pipeline.kubeflow import client, submission
from pipeline.kubeflow.reading import nodes_of, parameters_of, parsed, settings_of
from pipeline.kubeflow.submission import Target
from pipeline.settings import Settings
from trainer import weights

_SUFFIXES = (".yaml", ".yml")


def run_compile(settings: Settings, out: Path) -> int:
    """Writes the package; says what is in it, and what is to be known of it."""
    if out.suffix not in _SUFFIXES:
        raise UserError(f"--out {out}: Kubeflow reads a package from a .yaml file", EXIT_USAGE)
    text = compile_text(settings)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written ({error.strerror})") from error
    package = parsed(text, str(out))
    console = Console(highlight=False)
    console.print(f"Compiled {len(nodes_of(package))} nodes to {out}")
    for name, about in parameters_of(package).items():
        console.print(f"  parameter {name}: {about.get('description', '')}", soft_wrap=True)
    for line in _remarks(settings, package):
        console.print(line, soft_wrap=True)
    return 0


def run_submit(
    settings: Settings,
    target: Target,
    package: Path | None,
    accept_reason: str,
    wait: bool,
    every: float,
    workdir: Path,
) -> int:
    """Starts a run and, if asked to, follows it; returns the exit code of the contract."""
    # First of all: to compile takes longer than to find out that nobody answers.
    connected = client.connect(target.host, target.namespace, target.ca_cert)
    text, nodes, settings = _ready(settings, target, package, accept_reason)
    console = Console(highlight=False)
    run_id = submission.submit(connected, text, settings, target)
    url = submission.run_url(target.host, run_id)
    console.print(f"Run {run_id}: {url}", soft_wrap=True)
    if not wait:
        return 0
    try:
        run = submission.follow(connected, target.host, run_id, nodes, console, every)
    except KeyboardInterrupt:
        console.print("Interrupted. The run goes on; its page shows what becomes of it.")
        return EXIT_ERROR
    ended, remark = submission.end(settings, run, nodes, workdir)
    sentence = submission.said(ended)
    console.print(sentence[:1].upper() + sentence[1:], soft_wrap=True, markup=False)
    if remark:
        console.print(remark, soft_wrap=True, markup=False)
    return ended.exit_code


def run_schedule(
    settings: Settings, target: Target, package: Path | None, cron: str, at_once: int
) -> int:
    """Has runs started by the clock, each of which reads the photographs again."""
    submission.check_cron(cron)
    unseen = settings.kubeflow.model_copy(update={"data_fingerprint": ""})
    if settings.kubeflow.data_fingerprint is None:
        settings = settings.model_copy(update={"kubeflow": unseen})
    connected = client.connect(target.host, target.namespace, target.ca_cert)
    text, _, settings = _ready(settings, target, package, "")
    made = submission.schedule(connected, text, settings, target, cron, at_once)
    print(f"Recurring run {made}: {target.host.rstrip('/')}/#/recurringrun/details/{made}")
    return 0


def compile_text(settings: Settings, accept_reason: str = "") -> str:
    """The package of some settings.

    Raises:
      UserError: for settings that Kubeflow cannot run with.
    """
    check(settings)
    quiet.prepare_environment()
    with (
        _logging_as_before(),
        tempfile.TemporaryDirectory() as folder,
        quiet.logging_to(Path(folder, "log"), False),
    ):
        # TensorFlow and TFX take seconds to load, and much to say.
        from pipeline.kubeflow import package

        bound = package.bindings(
            settings, accept_reason, getpass.getuser() if accept_reason else ""
        )
        return package.as_yaml(*package.compiled(settings, bound))


@contextmanager
def _logging_as_before() -> Iterator[None]:
    """Lets what is logged inside the block have no effect on what is logged after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)


def check(settings: Settings) -> None:
    """Refuses what would only be found out on the cluster.

    Raises:
      UserError: with exit code 2.
    """
    from pipeline.tracking.place import URI_VARIABLE

    if not settings.data.uri:
        raise UserError(
            "on Kubeflow faces are not drawn: say where pods find the photographs with --data",
            EXIT_USAGE,
        )
    for name, path in (
        ("workdir", settings.workdir),
        ("data.uri", settings.data.uri),
        ("data.labels", settings.data.labels),
    ):
        if path and not os.path.isabs(path):
            raise UserError(
                f"setting {name}: {path} is where pods find it, a whole path", EXIT_USAGE
            )
    if "@" in (settings.tracking.uri or "").partition("://")[2].partition("/")[0]:
        raise UserError(
            "setting tracking.uri: a package can be read by many and must hold no password: name a "
            f"Secret with {URI_VARIABLE} in kubeflow.secrets",
            EXIT_USAGE,
        )
    for model in settings.trained_models:
        hyper = settings.hyperparameters(model)
        if hyper.transfer.weights == weights.IMAGENET:  # a file is the pods' to find
            weights.check(model, hyper)
    root = settings.kubeflow.pipeline_root
    if root and not root.startswith(("minio://", "s3://", "gs://")):
        raise UserError(
            f"setting kubeflow.pipeline_root: {root} is no minio://, s3:// or gs://", EXIT_USAGE
        )


def _ready(
    settings: Settings, target: Target, package: Path | None, accept_reason: str
) -> tuple[str, list[str], Settings]:
    """The package to send, its nodes, and the settings that are compiled in."""
    if package is None:
        with Console(stderr=True).status("Compiling"):
            text = compile_text(settings, accept_reason)
        content = parsed(text, "the compiled package")
    else:
        try:
            text = package.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"--package {package}: cannot be read ({reason})") from error
        content = parsed(text, str(package))
        # Without a node that records them nothing is to be recorded here either.
        unrecorded = {"tracking": settings.tracking.model_copy(update={"enabled": False})}
        found = settings_of(content, str(package))
        settings = found or settings.model_copy(update=unrecorded)
    _check_parameters(target.parameters or {}, parameters_of(content))
    return text, nodes_of(content), settings


def _check_parameters(given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise UserError(
                f"--param {name}: a run can be told {', '.join(sorted(known)) or 'nothing'}; "
                "everything else is compiled in, from --set",
                EXIT_USAGE,
            )


def _remarks(settings: Settings, package: Mapping[str, Any]) -> Iterable[str]:
    if not parameters_of(package).get("data_fingerprint", {}).get("defaultValue"):
        yield (
            f"{settings.data.uri} cannot be seen from here: every run reads the photographs again, "
            "and trains again. To reuse results, --set kubeflow.data_fingerprint=VERSION"
        )
    if settings.tracking.enabled and not settings.tracking.uri:
        yield (
            f"Runs are recorded in {settings.workdir}/mlflow, on the volume, unless a Secret says "
            "MLFLOW_TRACKING_URI: --set tracking.uri=URL names a server"
        )
