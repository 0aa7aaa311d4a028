"""Who put a served version where it is: a run, a person who rolled back, or nobody on record."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.errors import UserError
from pipeline.record import open_store, value_of
from pipeline.walk import run_of
from schema import features
from serving import versions

ROLLBACK = "agegender.Rollback"  # the type of a rollback's execution
ROLLED_BACK = "agegender.RolledBackModel"  # and of what it makes, as a PushedModel of a Publisher


@dataclass(frozen=True)
class Publication:
    """A version that a run's Publisher published; `at` is ISO 8601, UTC."""

    version: int
    content_digest: str
    destination: str
    at: str
    run: str
    execution_id: int
    artifact_id: int


@dataclass(frozen=True)
class Rollback:
    """Earlier content under a new number: who did that, why and when (ISO 8601, UTC)."""

    version: int
    source_version: int
    content_digest: str
    who: str
    why: str
    at: str
    execution_id: int


@dataclass(frozen=True)
class Origin:
    """Where a version comes from.

    Attributes:
      publication: of its content, by a run.
      rollbacks: that gave the content this version's number, the last one first.
      copied: whether nobody on record gave it its number: known by its content alone.
    """

    publication: Publication
    rollbacks: tuple[Rollback, ...] = ()
    copied: bool = False


def model_folder(workdir: Path, serving_dir: Path | None) -> Path:
    """The folder of served versions."""
    return (serving_dir or workdir / "serving") / features.MODEL_NAME


def open_existing(workdir: Path) -> MetadataStore:
    """The work folder's store.

    Raises:
      UserError: when there is none.
    """
    database = workdir / "metadata.db"
    if not database.exists():
        raise UserError(f"{workdir}: nothing is on record here; give --workdir the folder of a run")
    return open_store(database)


def published(store: MetadataStore) -> list[Publication]:
    """Every publication by a run, the oldest first."""
    found = []
    for artifact in _of_type(store, "PushedModel"):
        said = {name: value_of(value) for name, value in artifact.custom_properties.items()}
        event = _made_by(store, artifact.id)
        # A Publisher that found the model already serving says so with a number and without a deed.
        if event and said.get("pushed") and "content_digest" in said:
            found.append(
                Publication(
                    version=int(said["pushed_version"]),
                    content_digest=said["content_digest"],
                    destination=str(Path(said["pushed_destination"]).parent),
                    at=_iso(event.milliseconds_since_epoch / 1000),
                    run=run_of(store, event.execution_id),
                    execution_id=event.execution_id,
                    artifact_id=artifact.id,
                )
            )
    return found


def rolled_back(store: MetadataStore) -> list[Rollback]:
    """Every rollback that was completed, the oldest first."""
    found = []
    for artifact in _of_type(store, ROLLED_BACK):
        said = {name: value_of(value) for name, value in artifact.custom_properties.items()}
        event = _made_by(store, artifact.id)
        if event is None:
            continue
        (execution,) = store.get_executions_by_id([event.execution_id])
        told = {name: value_of(value) for name, value in execution.custom_properties.items()}
        found.append(
            Rollback(
                version=int(said["pushed_version"]),
                source_version=told["source_version"],
                content_digest=said["content_digest"],
                who=told["who"],
                why=told["why"],
                at=told["at"],
                execution_id=execution.id,
            )
        )
    return found


def origin(store: MetadataStore, model_dir: Path, version: int) -> Origin:
    """Where a version comes from, by its number and what its folder holds.

    Raises:
      UserError: when it has no whole folder, or ML Metadata does not know its content; the message
        says what is known.
    """
    known, rollbacks = published(store), rolled_back(store)
    if version not in versions.list_versions(model_dir):
        raise UserError(_no_folder(model_dir, version, known, rollbacks))
    digest = versions.content_digest(model_dir / str(version))
    number, way = version, list[Rollback]()
    for one in reversed(rollbacks):  # each goes back to a lower number
        if (one.version, one.content_digest) == (number, digest):
            way.append(one)
            number = one.source_version
    alike = [one for one in known if one.content_digest == digest]
    # Another serving folder may hold the same number, and a copied one the same content.
    exact = [one for one in alike if one.version == number]
    here = [one for one in exact if Path(one.destination) == model_dir.absolute()]
    best = here or exact or alike
    if not best:
        raise UserError(_unknown(model_dir, number, digest, known, rollbacks, way))
    return Origin(best[-1], tuple(way), copied=not exact)


def now() -> str:
    """The time, ISO 8601, UTC, to the second."""
    return _iso(time.time())


def local_time(at: str) -> str:
    """A time in this machine's zone, for people."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _of_type(store: MetadataStore, name: str) -> list[mlmd.Artifact]:
    return sorted(store.get_artifacts_by_type(name), key=lambda artifact: int(artifact.id))


def _made_by(store: MetadataStore, artifact_id: int) -> mlmd.Event | None:
    events = store.get_events_by_artifact_ids([artifact_id])
    return next((event for event in events if event.type == mlmd.Event.OUTPUT), None)


def _no_folder(
    model_dir: Path, version: int, known: list[Publication], rollbacks: list[Rollback]
) -> str:
    if (model_dir / str(version)).exists():
        return f"version {version}: {model_dir / str(version)} is not a whole SavedModel"
    said = _on_record(version, known, rollbacks)
    if said:
        return f"version {version}: its folder is gone from {model_dir}; {said}"
    there = ", ".join(map(str, versions.list_versions(model_dir))) or "none"
    return f"version {version}: not in {model_dir} and not on record; there are: {there}"


def _unknown(
    model_dir: Path,
    version: int,
    digest: str,
    known: list[Publication],
    rollbacks: list[Rollback],
    way: list[Rollback],
) -> str:
    content = f"its content ({digest[:16]})"
    if way:
        there = f"{_told(way[0])}; {content} is not on record before that"
        return f"version {way[0].version}: {there}"
    where = f"version {version}: {model_dir / str(version)}"
    if said := _on_record(version, known, rollbacks):
        return f"{where} was changed: {content} is another now; {said}"
    return (
        f"{where}: {content} is not on record here: copied in by hand, or published from another "
        "work folder, which --workdir names"
    )


def _on_record(version: int, known: list[Publication], rollbacks: list[Rollback]) -> str:
    """What ML Metadata says of a version's number, or ""."""
    for rollback in reversed(rollbacks):
        if rollback.version == version:
            return _told(rollback)
    for one in reversed(known):
        if one.version == version:
            return (
                f"on record is its publication on {local_time(one.at)} by run "
                f"{one.run}, execution {one.execution_id} (content {one.content_digest[:16]})"
            )
    return ""


def _told(one: Rollback) -> str:
    return (
        f"on record is that {one.who} rolled back to version {one.source_version} on "
        f"{local_time(one.at)} (content {one.content_digest[:16]}): {one.why}"
    )
