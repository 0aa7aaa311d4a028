"""How a run ended: its exit code, and what is said about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import EXIT_DATA_GATE, EXIT_ERROR, EXIT_NO_WINNER, EXIT_PUBLISHED
from pipeline.record import NodeRun

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Outcome:
    """An exit code of the contract and the sentence that goes with it."""

    exit_code: int
    sentence: str
    served: Path | None = None  # the version that is serving now, when the winner is


def of_run(expected: list[str], nodes: Mapping[str, NodeRun], model_dir: Path) -> Outcome:
    """Judges a run by what its nodes left in ML Metadata, never by the absence of an exception.

    Args:
      expected: the ids of all nodes of the graph.
      nodes: those that were started.
      model_dir: the folder of served versions.
    """
    if refused := _refused(nodes):
        return refused
    for name in expected:
        if name not in nodes or not nodes[name].succeeded:
            state = nodes[name].state.lower() if name in nodes else "never started"
            return Outcome(EXIT_ERROR, f"stopped: {name} {state}")
    blessing = nodes["Selector"].outputs["blessing"].properties
    if not blessing.get("blessed"):
        why = blessing.get("blessing_message", "no candidate passed")
        return Outcome(EXIT_NO_WINNER, f"nothing published: {why}")
    infra = nodes["ServableCheck"].outputs["blessing"].properties
    if not infra.get("blessed"):
        why = infra.get("reason", "it did not pass ServableCheck")
        return Outcome(EXIT_NO_WINNER, f"nothing published: the winner cannot be served: {why}")
    pushed = nodes["Publisher"].outputs["pushed_model"].properties
    version = pushed["pushed_version"]
    served = model_dir / str(version)
    if pushed["pushed"]:
        return Outcome(EXIT_PUBLISHED, f"published version {version} at {served}", served)
    return Outcome(EXIT_PUBLISHED, f"{pushed['reason']} at {served}", served)


def _refused(nodes: Mapping[str, NodeRun]) -> Outcome | None:
    """What is said when the gate did its work: it failed, and the verdict was bad."""
    gate, report = nodes.get("DataGate"), nodes.get("DataReport")
    if not (gate and gate.state == "FAILED" and report and report.succeeded):
        return None
    verdict = report.outputs["verdict"].properties
    if verdict["passed"]:
        return None
    count = f"{verdict['violated']} rule{'s' if verdict['violated'] > 1 else ''}"
    return Outcome(
        EXIT_DATA_GATE, f"stopped by the data gate: {count} violated, nothing was trained"
    )
