"""How a run on Kubeflow is named in MLflow, by the node that records it and by who waits for it."""

import os
import uuid

RUN_ID_VARIABLE = "KFP_RUN_ID"  # of the environment of pods


def known(run_id: str) -> str:
    """A run's id as told or, by a Kubeflow that replaces no placeholders, of the environment."""
    if not run_id.startswith("{{"):
        return run_id
    return os.environ.get(RUN_ID_VARIABLE) or uuid.uuid4().hex


def name(run_id: str) -> str:
    """The record of a run."""
    return f"kubeflow-{run_id}"


def tags(run_id: str, commit: str) -> dict[str, str]:
    """What leads from the record to the run, and to its code."""
    found = {
        "mlflow.source.name": "agegender kubeflow",
        "mlflow.source.type": "JOB",
        "kubeflow.run_id": run_id,
    }
    if commit:
        found |= {
            "mlflow.source.git.commit": commit.removesuffix("-dirty"),
            "git.dirty": str(commit.endswith("-dirty")).lower(),
        }
    return found
