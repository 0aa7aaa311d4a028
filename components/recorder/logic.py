"""What is read of which node, and of it the run as a runner with ML Metadata would see it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.record import Artifact, NodeRun
from trainer import trials
from trainer.progress import Progress, Search

# Outputs by component: what `pipeline.tracking.contents` and `pipeline.outcome` look at.
READ: Mapping[str, tuple[str, ...]] = {
    "FaceExampleGen": ("rejects",),
    "DataReport": ("verdict",),
    "Tuner": ("tuner_results",),
    "Trainer": ("model_run",),
    "Evaluator": ("evaluation",),
    "ModelReport": ("report",),
    "Selector": ("leaderboard", "blessing"),
    "ServableCheck": ("blessing",),
    "Publisher": ("pushed_model",),
    "ModelCard": ("card",),
}
MODEL = "model"  # in the place of a node: a candidate's
_BETWEEN = "__"
_HISTORY_FILE = "history.json"  # `trainer.runs`, which imports Keras, says so too


def input_key(node: str, output: str) -> str:
    """The name of Recorder's input that is an output of a node."""
    return f"{node}{_BETWEEN}{output}"


def node_runs(
    nodes: Iterable[str], fed: Mapping[str, Artifact], data: Mapping[str, Any]
) -> dict[str, NodeRun]:
    """Every node as one that succeeded: Recorder runs after them all.

    How long they took, and whether they were reused, the cluster alone knows.

    Args:
      nodes: their ids, in the order they run.
      fed: Recorder's inputs.
      data: what FaceExampleGen was told.
    """
    outputs: dict[str, dict[str, Artifact]] = {name: {} for name in nodes}
    models: dict[str, Artifact] = {}
    for key, artifact in fed.items():
        node, _, output = key.partition(_BETWEEN)
        if node == MODEL:
            models[f"model_{output}"] = artifact
        else:
            outputs[node][output] = artifact
    return {
        name: NodeRun(
            execution_id=0,
            state="COMPLETE",
            seconds=float("nan"),
            outputs=outputs[name],
            inputs=models if name == "Selector" else {},
            parameters=data if name == "FaceExampleGen" else {},
            reason="",
        )
        for name in nodes
    }


def past(node: str, run: NodeRun) -> Iterator[Progress]:
    """What a listener would have heard of the trainings of a node, epoch for epoch."""
    kind, _, model = node.partition("_")
    if kind == "Trainer":
        file = run.outputs["model_run"].path / _HISTORY_FILE
        yield from _epochs(model, json.loads(file.read_text(encoding="utf-8")), None)
    elif kind == "Tuner":
        file = run.outputs["tuner_results"].path / trials.TRIALS_FILE
        found = trials.parse_lines(file.read_text(encoding="utf-8"))
        for one in found:
            search = Search(one.number, len(found), "", 0.0, 0.0, one.hyperparameters)
            yield from _epochs(model, one.curves, search)


def _epochs(
    model: str, curves: Mapping[str, Sequence[float | None]], search: Search | None
) -> Iterator[Progress]:
    count = max(map(len, curves.values()), default=0)
    if search and not count:  # a trial that failed before its first epoch ended
        yield Progress(model, 0, 0, 0, 1, {}, search)
    for epoch in range(count):
        told = {name: values[epoch] for name, values in curves.items() if epoch < len(values)}
        logs = {name: value for name, value in told.items() if value is not None}
        yield Progress(model, epoch + 1, count, 0, 1, {}, search, logs=logs)
