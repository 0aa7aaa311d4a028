"""`agegender rollback`: earlier content under a new number, and who did that and why on record."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from rich.console import Console

from pipeline import publications
from pipeline.errors import EXIT_USAGE, UserError
from pipeline.lock import only_run
from pipeline.publications import ROLLBACK, ROLLED_BACK, Rollback
from pipeline.tracking import place
from pipeline.tracking.place import Place
from serving import versions


def run_rollback(
    workdir: Path,
    version: int | None,
    reason: str,
    serving_dir: Path | None,
    tracking_uri: str | None = None,
    console: Console | None = None,
) -> int:
    """Rolls back and says so; returns the exit code.

    Args:
      workdir: whose ML Metadata it is recorded in.
      version: which; the newest of other content than what is served if None.
      reason: one line.
      serving_dir: where it is served, if not in `workdir`.
      tracking_uri: of MLflow, if not where the last run was recorded.
      console: where to print.

    Raises:
      UserError: see roll_back.
    """
    console = console or Console(highlight=False)
    model_dir = publications.model_folder(workdir, serving_dir)
    where = place.of_last_run(workdir, tracking_uri)
    done = roll_back(workdir, model_dir, version, getpass.getuser(), reason)
    console.print(
        f"Version {done.version} is served: the content of version {done.source_version}",
        soft_wrap=True,
        markup=False,
    )
    console.print(f"On record: {done.who}, because: {done.why}", soft_wrap=True, markup=False)
    if said := _tell_registry(where, done):
        console.print(said, soft_wrap=True, markup=False)
    return 0


def _tell_registry(where: Place, done: Rollback) -> str:
    """Moves the registered model's alias; what the user should know of that, or ""."""
    from pipeline.tracking import journal, sync

    if not where.is_used:
        return ""
    tags = {"rolled_back_to": str(done.source_version), "by": done.who, "reason": done.why}
    entry = journal.Move(
        record=f"rollback-{done.execution_id}",
        digest=done.content_digest,
        version=done.version,
        tags={**tags, "mlmd.execution_id": str(done.execution_id)},
    )
    return sync.told(where, f"rollback-{done.version}-{journal.now()}", entry)


def roll_back(workdir: Path, model_dir: Path, version: int | None, who: str, why: str) -> Rollback:
    """Publishes an earlier version's content under a new, higher number.

    Args:
      workdir: whose ML Metadata it is recorded in.
      model_dir: the folder of served versions.
      version: which; the newest of other content than what is served if None.
      who: does it.
      why: one line.

    Raises:
      UserError: with exit code 2 when no reason is given or there is no such version; with 1 when
        that is served already, there is nothing to roll back to, the version is not what was
        published, or a run holds the work folder.
    """
    why = " ".join(why.split())
    if not why:
        raise UserError('a rollback goes on record: say why with --reason "why"', EXIT_USAGE)
    store = publications.open_existing(workdir)
    with only_run(workdir):
        source = _source(model_dir, version)
        digest = versions.content_digest(model_dir / str(source))
        _check(store, source, digest)
        with _recorded(store, source, digest, who, why) as execution:
            number = _publish(model_dir / str(source), model_dir)
            _publish_made(store, execution, model_dir / str(number), digest)
    at = execution.custom_properties["at"].string_value
    return Rollback(number, source, digest, who, why, at, execution.id)


def _publish(source: Path, model_dir: Path) -> int:
    try:
        return versions.publish(source, model_dir)
    except OSError as error:
        raise UserError(f"{model_dir} cannot be written: {error.strerror}") from error


def _source(model_dir: Path, version: int | None) -> int:
    """The version to go back to."""
    there = versions.list_versions(model_dir)
    if not there:
        raise UserError(f"{model_dir}: nothing is served here; --serving-dir names another folder")
    digests = {one: versions.content_digest(model_dir / str(one)) for one in there}
    served = there[-1]
    if version is None:
        others = [one for one in there if digests[one] != digests[served]]
        if not others:
            raise UserError(
                f"nothing to roll back to: {model_dir} holds no content but version {served}'s"
            )
        return others[-1]
    if version not in there:
        folder = model_dir / str(version)
        holds_none = f"{model_dir} holds no version {version}"
        wrong = f"{folder} is not a whole SavedModel" if folder.exists() else holds_none
        raise UserError(f"{wrong}; there are: {', '.join(map(str, there))}", EXIT_USAGE)
    if digests[version] == digests[served]:
        same = "" if version == served else f", as version {served}"
        raise UserError(f"version {version} is what is served already{same}")
    return version


def _check(store: MetadataStore, source: int, digest: str) -> None:
    """Refuses a folder whose content is not what was published under its number."""
    known = [
        *((one.version, one.content_digest) for one in publications.published(store)),
        *((one.version, one.content_digest) for one in publications.rolled_back(store)),
    ]
    said = {content for version, content in known if version == source}
    if said and digest not in said:
        raise UserError(
            f"version {source} was changed since it was published: its content is {digest[:16]}, "
            f"on record is {', '.join(sorted(content[:16] for content in said))}"
        )


@contextmanager
def _recorded(
    store: MetadataStore, source: int, digest: str, who: str, why: str
) -> Iterator[mlmd.Execution]:
    """An execution that is on record before anything is published, failed when that fails.

    It is in no context: what looks for runs, or for executions of a node, does not see it.
    """
    kind = store.put_execution_type(mlmd.ExecutionType(name=ROLLBACK))
    execution = mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.RUNNING)
    execution.custom_properties["source_version"].int_value = source
    for name, value in {
        "content_digest": digest, "who": who, "why": why, "at": publications.now(),
    }.items():  # fmt: skip
        execution.custom_properties[name].string_value = value
    (execution.id,) = store.put_executions([execution])
    try:
        yield execution
    except BaseException:
        execution.last_known_state = mlmd.Execution.FAILED
        store.put_executions([execution])
        raise


def _publish_made(
    store: MetadataStore, execution: mlmd.Execution, folder: Path, digest: str
) -> None:
    """Puts what a rollback published on record, with the properties of a Publisher's artifact."""
    kind = store.put_artifact_type(mlmd.ArtifactType(name=ROLLED_BACK))
    made = mlmd.Artifact(type_id=kind, uri=str(folder.absolute()), state=mlmd.Artifact.LIVE)
    made.custom_properties["pushed"].int_value = 1
    made.custom_properties["pushed_destination"].string_value = str(folder.absolute())
    made.custom_properties["pushed_version"].string_value = folder.name
    made.custom_properties["content_digest"].string_value = digest
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add().key = "pushed_model"
    execution.last_known_state = mlmd.Execution.COMPLETE
    store.put_execution(execution, [(made, event)], [])
