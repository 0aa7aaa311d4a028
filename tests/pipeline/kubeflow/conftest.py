from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import settings
from tests.pipeline.kubeflow.server import Kfp, serving

# Small, but with a search, and a secret.
CHOSEN = (
    "candidates=[specialists, transfer_mobilenet_v2, ensemble]",
    "ensemble.members=[multitask_cnn, transfer_mobilenet_v2]",
    "tuning.models=[multitask_cnn]",
    "tuning.max_trials=2",
    "kubeflow.secrets={mlflow: [MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD]}",
    "kubeflow.training.node_selector={pool: gpu}",
    "kubeflow.pipeline_root=s3://bucket/agegender",
    "kubeflow.data_fingerprint=v1",
    "kubeflow.service_account=trainer",
    "tracking.uri=http://mlflow.internal:5000",
)


@pytest.fixture
def kfp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kfp]:
    for name in ("KFP_TOKEN", "KFP_COOKIES", "KF_PIPELINES_ENDPOINT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def chosen() -> settings.Settings:
    return settings.load("kubeflow", {}, list(CHOSEN))


@pytest.fixture(scope="session")
def text(chosen: settings.Settings) -> str:
    from pipeline.kubeflow.command import compile_text

    return compile_text(chosen)


@pytest.fixture(scope="session")
def package(text: str) -> dict[str, Any]:
    return dict(next(yaml.safe_load_all(text)))
