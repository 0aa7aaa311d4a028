"""The project's TFX components and artifact types, by name.

Resolved on first use: importing one component's `logic` module must not import TFX (seconds), and
Kubeflow recreates artifact types as `components.<Name>`.
"""

import importlib
from typing import Any

_HOMES = {
    "Rejects": "components.artifacts",
    "Leaderboard": "components.artifacts",
    "DataVerdict": "components.artifacts",
    "DataApproval": "components.artifacts",
    "ModelFindings": "components.artifacts",
    # The component of this name is in components.model_card.component.
    "ModelCard": "components.artifacts",
    "RunRecord": "components.artifacts",
    "FaceExampleGen": "components.face_example_gen.component",
    "Baseline": "components.baseline.component",
    "DataReport": "components.data_report.component",
    "DataGate": "components.data_gate.component",
    "Tuner": "components.tuner.component",
    "SpecialistPair": "components.specialist_pair.component",
    "Champion": "components.champion.component",
    "ModelReport": "components.model_report.component",
    "Selector": "components.selector.component",
    "ServableCheck": "components.servable_check.component",
    "Publisher": "components.publisher.component",
    "Recorder": "components.recorder.component",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """The component or artifact type called `name`."""
    if name not in _HOMES:
        raise AttributeError(f"module 'components' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
