from pathlib import Path
from typing import Any

import pytest

from pipeline import outcome
from pipeline.record import Artifact, NodeRun

NODES = ["FaceExampleGen", "DataReport", "DataGate", "Selector", "ServableCheck", "Publisher"]
BLESSED: dict[str, Any] = {"blessed": 1}
SERVING_3 = {"pushed": 0, "pushed_version": 3, "reason": "already serving version 3"}


def node(state: str = "COMPLETE", **outputs: dict[str, Any]) -> NodeRun:
    made = {key: Artifact(1, "/nowhere", properties) for key, properties in outputs.items()}
    return NodeRun(1, state, 0.0, made, {}, {}, "")


def run(**changes: NodeRun) -> dict[str, NodeRun]:
    return {
        "FaceExampleGen": node(),
        "DataReport": node(verdict={"passed": 1, "violated": 0}),
        "DataGate": node(),
        "Selector": node(blessing=BLESSED),
        "ServableCheck": node(blessing=BLESSED),
        "Publisher": node(pushed_model={"pushed": 1, "pushed_version": 7}),
    } | changes


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({}, 0, "version 7 at serving/7"),
        ({"FaceExampleGen": node("CACHED")}, 0, "version 7"),
        (
            {"Publisher": node(pushed_model=SERVING_3)},
            0,
            "already serving version 3 at serving/3",
        ),
        ({"Selector": node(blessing={"blessed": 0, "blessing_message": "worse"})}, 3, "worse"),
        (
            {"ServableCheck": node(blessing={"blessed": 0, "reason": "NaN"})},
            3,
            "NaN",
        ),
        ({"FaceExampleGen": node("FAILED")}, 1, "FaceExampleGen failed"),
        (
            {"DataReport": node(verdict={"passed": 0, "violated": 2}), "DataGate": node("FAILED")},
            4,
            "2 rules",
        ),
        # It failed for another reason than the verdict: that is an error, not a judgement.
        ({"DataGate": node("FAILED")}, 1, "DataGate failed"),
        ({"Publisher": node("RUNNING")}, 1, "Publisher running"),
    ],
)
def test_the_exit_code_follows_the_record(
    changes: dict[str, NodeRun], code: int, said: str
) -> None:
    ended = outcome.of_run(NODES, run(**changes), Path("serving"))
    assert ended.exit_code == code
    assert said in ended.sentence


def test_a_node_that_never_started_is_an_error() -> None:
    nodes = run()
    del nodes["ServableCheck"]
    ended = outcome.of_run(NODES, nodes, Path("serving"))
    assert (ended.exit_code, "ServableCheck never started" in ended.sentence) == (1, True)
