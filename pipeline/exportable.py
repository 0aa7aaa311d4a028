"""What can be exported: a served version or a candidate of the last run, found in ML Metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore

from pipeline import publications, walk
from pipeline.askable import SERVABLE
from pipeline.errors import UserError
from pipeline.record import runs_of
from pipeline.walk import Step
from serving import versions


@dataclass(frozen=True)
class Exportable:
    """A trained model, with its servable and the faces to hold an export against it.

    Attributes:
      candidate: its name in its run.
      version: under which it is served; None where it was asked for as a candidate.
      run: the pipeline run that judged it.
      servable: its SavedModel.
      content_digest: of that.
      model_run: the folder with its Keras model and calibration.
      age_groups: the scheme of its `age_group`.
      data_fingerprint: of the photographs of its run.
      examples: the folder of their examples.
    """

    candidate: str
    version: int | None
    run: str
    servable: Path
    content_digest: str
    model_run: Path
    age_groups: Any  # age_groups.Scheme
    data_fingerprint: str
    examples: Path

    def files(self, split: str) -> list[str]:
        """The files with the faces of a split; none when they are gone."""
        return sorted(map(str, (self.examples / f"Split-{split}").glob("*.gz")))


def of_version(store: MetadataStore, model_dir: Path, version: int | None) -> Exportable:
    """A served version, the newest where none is named.

    Raises:
      UserError: when there is none, it is not on record, or its model is gone.
    """
    if version is None:
        newest = versions.latest(model_dir)
        if newest is None:
            raise UserError(
                f"{model_dir}: no version is published; --candidate NAME exports one that is not"
            )
        version = int(newest.name)
    origin = publications.origin(store, model_dir, version)
    run = origin.publication.run
    selector = _selector(store, run)
    candidate = str(selector.outputs["model"].properties["candidate"])
    return _exportable(store, selector, run, candidate, version, model_dir / str(version))


def of_candidate(store: MetadataStore, workdir: Path, candidate: str) -> Exportable:
    """A candidate of the last run that judged any, by its name.

    Raises:
      UserError: when there is no such run or candidate, or its model is gone.
    """
    judged = next((run for run in runs_of(store, "Selector") if run.succeeded), None)
    if judged is None:
        raise UserError(f"{workdir}: no run has judged candidates here; run agegender run first")
    run = publications.run_of(store, judged.execution_id)
    selector = _selector(store, run)
    names = selector.parameter("candidates")
    if candidate not in names:
        raise UserError(f"no candidate {candidate} in the last run: it had {', '.join(names)}")
    servable = selector.inputs[f"model_{candidate}"].path / SERVABLE
    return _exportable(store, selector, run, candidate, None, servable)


def _selector(store: MetadataStore, run: str) -> Step:
    found = walk.of_run(store, run, "Selector")
    if found is None:
        raise UserError(f"run {run}: its choice among candidates is not on record")
    return found


def _exportable(
    store: MetadataStore,
    selector: Step,
    run: str,
    candidate: str,
    version: int | None,
    servable: Path,
) -> Exportable:
    model_run = selector.inputs[f"model_run_{candidate}"]
    source = walk.maker(store, model_run)
    ingestion = walk.of_run(store, run, "FaceExampleGen")
    if source is None or ingestion is None:
        raise UserError(f"run {run}: what made {candidate}, and of which data, is not on record")
    for folder in (model_run.path / "model.keras", servable):
        if not folder.exists():
            raise UserError(
                f"{folder}: is gone, and with it what to export; run agegender run again"
            )
    return Exportable(
        candidate=candidate,
        version=version,
        run=run,
        servable=servable,
        content_digest=versions.content_digest(servable),
        model_run=model_run.path,
        age_groups=_age_groups(source.parameters, source.parameter("custom_config")),
        data_fingerprint=ingestion.parameters["data_fingerprint"],
        examples=ingestion.outputs["examples"].path,
    )


def _age_groups(parameters: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    """As the node that made the servable was told, be it a Trainer or what joins several.

    Runs of before there was a choice grouped by decades.
    """
    return parameters.get("age_groups") or config.get("age_groups", "decades")
