"""The experiment in MLflow, and how its page opens: on runs, with their figures in columns."""

import json
from pathlib import Path

from mlflow.tracking import MlflowClient

from pipeline.tracking.place import Place

_DESCRIPTION = (
    "A run of `agegender run` each, its searches, trials, trainings and evaluations inside. "
    "Figures are of the best candidate: `test/age_mae` in years; candidates rank by `score`."
)
_TRAINING = "workflowType=machine_learning"  # of MLflow's page; else it opens on conversations
_VIEW = "figures"
# As MLflow's page keeps what "share" links lead to.
_VIEW_TAG = f"mlflow.sharedViewState.{_VIEW}"
_VIEW_STATE = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": [
        "metrics.`test/age_mae`",
        "metrics.`test/gender_accuracy`",
        "metrics.`score`",
        "metrics.`val_score`",
        "tags.`state`",
        "tags.`winner`",
    ],
}
_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": _DESCRIPTION,
    _VIEW_TAG: json.dumps(_VIEW_STATE),
}


def experiment_id(client: MlflowClient, place: Place) -> str:
    """The experiment's id; it is made if missing."""
    found = client.get_experiment_by_name(place.experiment)
    if found is not None:
        return str(found.experiment_id)
    if place.is_local:
        Path(place.journals).parent.mkdir(parents=True, exist_ok=True)
    return str(client.create_experiment(place.experiment, place.artifacts, tags=_TAGS))


def page(client: MlflowClient, place: Place, server: str) -> str:
    """The address of the experiment's page below that of a server."""
    found = client.get_experiment_by_name(place.experiment)
    if found is None:
        return server
    view = f"&viewStateShareKey={_VIEW}" if _VIEW_TAG in found.tags else ""
    return f"{server}/#/experiments/{found.experiment_id}/runs?{_TRAINING}{view}"
