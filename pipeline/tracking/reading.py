"""The runs on record, read from MLflow."""

from collections.abc import Sequence

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from pipeline.errors import EXIT_USAGE, UserError
from pipeline.tracking.place import Place

_SHORT = 8  # characters of a run's id that are shown
_MOST = 1000  # runs that MLflow answers with at once


def all_runs(where: Place) -> list[Run]:
    """All runs of the experiment, newest first.

    Raises:
      UserError: when MLflow does not answer.
    """
    if not where.is_used:
        return []
    try:
        client = MlflowClient(where.uri, where.uri)
        experiment = client.get_experiment_by_name(where.experiment)
        if experiment is None:
            return []
        found: list[Run] = []
        token = None
        while True:
            page = client.search_runs(
                [experiment.experiment_id],
                max_results=_MOST,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                return found
    except (MlflowException, OSError) as error:
        raise unreachable(where, error) from error


def chosen(runs: Sequence[Run], wanted: str) -> Run:
    """One of the runs, newest first: by the beginning of its id, or as "last" of the pipeline's.

    Raises:
      UserError: when there is none, or more than one (exit code 2).
    """
    top = [run for run in runs if not parent_of(run)]
    if wanted == "last" and top:
        return top[0]
    found = [run for run in runs if run.info.run_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"{len(found)} runs begin with {wanted}: give more of the id", EXIT_USAGE)
    known = ", ".join(short_id(run) for run in top[:5]) or "none"
    raise UserError(f"no run {wanted} is on record; the last ones: {known}", EXIT_USAGE)


def is_inside(run: Run, outer: Run, runs: Sequence[Run]) -> bool:
    """Whether a run is inside another, at whatever depth."""
    parents = {one.info.run_id: parent_of(one) for one in runs}
    parent = parent_of(run)
    while parent and parent != outer.info.run_id:
        parent = parents.get(parent, "")
    return bool(parent)


def parent_of(run: Run) -> str:
    """The id of the run that it is inside of; "" for one of the pipeline's."""
    return str(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))


def unreachable(where: Place, error: Exception) -> UserError:
    """What is said when MLflow does not answer."""
    reason = str(error).strip().partition("\n")[0]
    return UserError(
        f"MLflow at {where.shown} does not answer ({reason}): start it, or say with "
        "--tracking-uri where it is; nothing of the record is lost"
    )


def short_id(run: Run) -> str:
    """The beginning of its id, as it is shown and asked for."""
    return str(run.info.run_id[:_SHORT])
