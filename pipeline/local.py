"""Runs the graph on this machine with TFX's LocalDagRunner."""

import getpass
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from components.face_example_gen import label_file
from pipeline import fingerprints, node_code, quiet
from pipeline.errors import EXIT_DATA_GATE, EXIT_ERROR, EXIT_USAGE, UserError
from pipeline.lock import only_run
from pipeline.outcome import INTERRUPTED, Outcome
from pipeline.settings import Settings
from schema import features
from serving import versions
from trainer import weights

if TYPE_CHECKING:
    from ml_metadata import MetadataStore
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.tracking.recording import Recording

SCHEMA = Path(__file__).parent.parent / "schema" / "schema.pbtxt"

# Below the work folder.
_SAMPLES = "sample"
_DATABASE = "metadata.db"


def run(settings: Settings, verbose: bool = False, accept_reason: str = "") -> int:
    """One run of the whole pipeline; returns the exit code of the contract.

    Args:
      settings: what to run.
      verbose: whether to show the logs of the libraries.
      accept_reason: why the data are accepted whatever the verdict on them; "" when they are not.

    Raises:
      UserError: when the data cannot be read or the work folder is in use.
    """
    workdir = Path(settings.workdir).absolute()
    workdir.mkdir(parents=True, exist_ok=True)
    quiet.prepare_environment()
    log = workdir / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    with only_run(workdir), quiet.logging_to(log, verbose) as console:
        return _run(settings, workdir, console, log, accept_reason)


def _run(settings: Settings, workdir: Path, console: Console, log: Path, accept_reason: str) -> int:
    for model in settings.trained_models:
        weights.check(model, settings.hyperparameters(model))
    given = settings.data.uri or _sample(settings, workdir, console)
    labels_uri = _labels(settings)
    fingerprint = label_file.data_fingerprint(given, labels_uri)
    with console.status("Loading TensorFlow and TFX"):
        # Not at the top: they take seconds, and what is above may end the run.
        from pipeline import record
        from pipeline.tracking.recording import recording
        from trainer.families import transfer

        for model in settings.trained_models:
            transfer.fetch(model, settings.image.store_size, settings.hyperparameters(model))
    store = record.open_store(workdir / _DATABASE)
    about = Path(given).name
    with recording(settings, workdir, about, store, console) as recorder:
        pipeline = _pipeline(
            settings, workdir, store, given, labels_uri, fingerprint, accept_reason
        )
        ended = _execute(settings, workdir, console, log, store, pipeline, recorder)
        recorder.ended(ended)
    return ended.exit_code


def _pipeline(
    settings: Settings,
    workdir: Path,
    store: "MetadataStore",
    given: str,
    labels_uri: str,
    fingerprint: str,
    accept_reason: str,
) -> "Pipeline":
    """The graph, bound to this machine."""
    from pipeline import baseline, graph, tuning, validation
    from pipeline.bindings import Bindings

    data_uri = os.path.abspath(Path(given).expanduser())
    model_dir = _model_dir(settings)
    return graph.create_pipeline(
        settings,
        Bindings(
            pipeline_root=str(workdir / "artifacts"),
            data_uri=data_uri,
            data_fingerprint=fingerprint,
            labels_uri=labels_uri,
            schema_file=str(_schema_copy(workdir)),
            comparators=validation.comparators(SCHEMA),
            baseline_uri=baseline.accepted_statistics(
                store, data_uri, fingerprint, workdir / _SAMPLES
            ),
            model_dir=str(model_dir),
            serving_state=versions.serving_state(model_dir),
            code={node: fingerprints.of_code(modules) for node, modules in node_code.CODE.items()},
            weights={
                model: weights.fingerprint(model, settings.hyperparameters(model))
                for model in settings.trained_models
            },
            tuning_dir=str(workdir / tuning.FOLDER),
            accept_reason=accept_reason,
            accepted_by=getpass.getuser() if accept_reason else "",
            commit=fingerprints.of_checkout(),
        ),
    )


def _execute(
    settings: Settings,
    workdir: Path,
    console: Console,
    log: Path,
    store: "MetadataStore",
    pipeline: "Pipeline",
    recorder: "Recording",
) -> Outcome:
    """Runs the graph, shows it, and says how it ended."""
    from pipeline import record, report
    from pipeline.console import NodeLines

    names = [node.id for node in pipeline.components]
    lines = NodeLines(
        console, lambda node: record.node(store, node), names, tell=recorder.node_finished
    )
    try:
        with lines.showing():
            _launch(pipeline, workdir / _DATABASE)
    except KeyboardInterrupt:
        console.print("Interrupted. Run the same command again to go on from here.")
        return Outcome(EXIT_ERROR, INTERRUPTED)
    except Exception as error:
        logging.exception("the run failed")
        if lines.running:
            lines.finish(lines.running)
        cause = _cause(error)
        if not (isinstance(cause, UserError) and cause.exit_code == EXIT_DATA_GATE):
            console.print(f"[red]{_first_line(cause)}[/]", soft_wrap=True)
            if not isinstance(error, UserError):
                console.print(f"The whole story is in {report.near(log)}", soft_wrap=True)
            return Outcome(EXIT_ERROR, _first_line(cause))
    run_id = record.last_run(store)
    nodes = record.nodes(store, run_id) if run_id else {}
    return report.show(console, names, nodes, _model_dir(settings), log)


def _model_dir(settings: Settings) -> Path:
    return (settings.serving_dir / features.MODEL_NAME).absolute()


def _launch(pipeline: "Pipeline", database: Path) -> None:
    from tfx.orchestration import metadata
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    pipeline.metadata_connection_config = metadata.sqlite_metadata_connection_config(str(database))
    LocalDagRunner().run(pipeline)


def _labels(settings: Settings) -> str:
    """The path of the file of labels, which is read once, so that a run ends before it begins."""
    if not settings.data.labels:
        return ""
    if not settings.data.uri:
        raise UserError("--labels goes with --data: drawn faces have their own", EXIT_USAGE)
    path = os.path.abspath(Path(settings.data.labels).expanduser())
    label_file.read(label_file.LabelFile(path, settings.data.columns))
    return path


def _sample(settings: Settings, workdir: Path, console: Console) -> str:
    """The folder of the built-in sample, drawn if it is not there yet."""
    from pipeline.sample import GENERATOR_VERSION, write_sample

    count, seed = settings.data.sample_size, settings.data.sample_seed
    # Its name is what the data are called wherever they are spoken of.
    name = f"drawn-faces-{count}" + (f"-seed-{seed}" if seed else "")
    folder = workdir / _SAMPLES / f"v{GENERATOR_VERSION}" / name
    with console.status(f"Drawing {count} faces: no --data was given"):
        write_sample(folder, count, seed)
    return str(folder)


def _schema_copy(workdir: Path) -> Path:
    """The schema under a path that changes with its content: ImportSchemaGen is cached by path."""
    content = SCHEMA.read_bytes()
    copy = workdir / "schema" / fingerprints.of_bytes(content) / SCHEMA.name
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    return copy


def _cause(error: BaseException) -> BaseException:
    """The outermost exception of ours below `error`; itself when there is none."""
    chain = error
    while not isinstance(chain, UserError) and (chain.__cause__ or chain.__context__):
        chain = chain.__cause__ or chain.__context__ or chain
    return chain if isinstance(chain, UserError) else error


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
