"""Which models of a work folder can be asked: the served version and the last run's candidates."""

import json
from pathlib import Path

from pipeline.errors import UserError
from pipeline.record import NodeRun, open_store, runs_of
from serving import versions
from serving.versions import content_digest

_INPUT = "model_"  # of Selector, by candidate; beside it stands model_run_
SERVABLE = "Format-Serving"  # as TFX lays out a Model artifact


def servables(workdir: Path, model_dir: Path) -> dict[str, Path]:
    """SavedModels by what they are called, the served one first.

    Args:
      workdir: of the runs.
      model_dir: the folder of the served versions.

    Raises:
      UserError: when nothing is served and no run has judged candidates.
    """
    served = versions.latest(model_dir)
    found = candidates(workdir)
    if served is None and not found:
        raise UserError(f"{workdir}: there is no model to ask here; run agegender run first")
    if served is None:
        return found
    digest = content_digest(served)
    alike = next((name for name, path in found.items() if content_digest(path) == digest), "")
    title = (
        f"{alike} (served, version {served.name})" if alike else f"served, version {served.name}"
    )
    return {title: served} | {name: path for name, path in found.items() if name != alike}


def candidates(workdir: Path) -> dict[str, Path]:
    """The SavedModels that the last run judged and that are still there, by candidate."""
    database = workdir / "metadata.db"
    runs = runs_of(open_store(database), "Selector") if database.exists() else []
    judged = next((run for run in runs if run.succeeded), None)
    found = _models(judged) if judged else {}
    return {name: path for name, path in sorted(found.items()) if path.is_dir()}


def _models(judged: NodeRun) -> dict[str, Path]:
    names = list(json.loads(judged.parameters["candidates"]))
    return {name: judged.inputs[f"{_INPUT}{name}"].path / SERVABLE for name in names}
