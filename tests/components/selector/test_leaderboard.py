import json
import math

import numpy as np
import pytest

from components.selector.intervals import intervals
from components.selector.leaderboard import leaderboard
from components.selector.logic import Candidate, Champion, Thresholds, choose
from components.selector.slices import SliceLimits

THRESHOLDS = Thresholds(max_age_mae=8, min_gender_accuracy=0.8, min_auc=0.95)
LIMITS = SliceLimits(min_size=10)


def figures(age_mae, gender_accuracy, **others):
    return {"age_mae": age_mae, "gender_accuracy": gender_accuracy} | others


GOOD = Candidate(
    "good",
    figures(4, 0.9),
    {
        "overall": figures(4.0, 0.9, gender_auc=0.97, age_mse=25.0, examples=100),
        "gender=1": figures(3.0, 0.8, gender_auc=math.nan, age_mse=16.0, examples=40),
    },
    failed=(),
    digest="good",
    model={"parameters": 1000, "bytes": 2048, "training_seconds": 60.5},
)
BAD = Candidate(
    "bad",
    figures(math.nan, 0.9),
    {"overall": figures(9.0, 0.9, gender_auc=math.nan)},
    failed=("age_mae 9 is above 8",),
    digest="bad",
)


def board(version):
    champion = Champion(version, {"overall": figures(16.0, 0.5)}, "old", {"bytes": 10})
    decision = choose([BAD, GOOD], champion, THRESHOLDS, 0.1)
    content = leaderboard([BAD, GOOD], champion, THRESHOLDS, LIMITS, 0.1, decision)
    return decision, json.loads(json.dumps(content, allow_nan=False))


def test_everything_about_a_candidate_in_plain_json_in_the_order_of_rank():
    decision, content = board(3)
    good, bad = content["candidates"]

    assert content["decision"] == decision.reason
    assert (content["winner"], content["blessed"], content["tolerance"]) == ("good", True, 0.1)
    asked = {name: limit for name, limit in content["thresholds"].items() if limit is not None}
    assert asked == {"max_age_mae": 8, "min_gender_accuracy": 0.8, "min_auc": 0.95}
    assert SliceLimits.model_validate(content["slices"]) == LIMITS
    assert (good["rank"], good["name"], good["passed"], good["failed"]) == (1, "good", True, [])
    assert good["score"] == pytest.approx(1.0)
    assert good["val"] == figures(4, 0.9)
    assert good["test"] == GOOD.test["overall"]
    assert good["slices"] == {"gender=1": GOOD.test["gender=1"] | {"gender_auc": None}}
    assert good["worst_slices"]["gender"]["gender_accuracy"]["gap"] == pytest.approx(0.1)
    assert good["model"] == {
        "parameters": 1000,
        "bytes": 2048,
        "training_seconds": 60.5,
        "latency_ms": None,
        "images_per_second": None,
    }
    assert (bad["rank"], bad["name"], bad["passed"], bad["score"]) == (2, "bad", False, None)
    assert bad["failed"] == ["age_mae 9 is above 8", "a figure on val is not a number"]
    assert bad["val"] == {"age_mae": None, "gender_accuracy": 0.9}
    assert bad["intervals"] == {}


def test_by_how_much_each_threshold_was_met_or_missed():
    _, content = board(3)
    good, bad = (row["thresholds"] for row in content["candidates"])
    assert good["min_gender_accuracy"] == {
        "figure": "gender_accuracy",
        "value": 0.9,
        "limit": 0.8,
        "margin": pytest.approx(0.1),
        "passed": True,
    }
    assert (good["max_age_mae"]["margin"], good["max_age_mae"]["passed"]) == (4, True)
    assert (bad["max_age_mae"]["margin"], bad["max_age_mae"]["passed"]) == (-1, False)
    # What is not a number is no pass.
    assert (bad["min_auc"]["margin"], bad["min_auc"]["passed"]) == (None, False)


@pytest.mark.parametrize(("version", "name"), [(0, "constant"), (3, "version 3")])
def test_the_champions_row(version, name):
    row = board(version)[1]["champion"]
    assert (row["name"], row["version"]) == (name, version)
    assert row["score"] == pytest.approx(4.5)
    assert row["test"] == figures(16, 0.5)
    assert row["model"]["bytes"] == 10
    assert row["model"]["parameters"] is None
    assert set(board(version)[1]["candidates"][0]) - set(row) == {"rank", "val", "passed", "failed"}


def test_nineteen_of_twenty_intervals_hold_the_truth():
    random = np.random.default_rng(0)
    true_mae, true_accuracy, faces = 5.0, 0.93, 300
    inside = {"age_mae": 0, "gender_accuracy": 0}
    for _ in range(400):
        errors = random.exponential(true_mae, faces)
        right = random.uniform(size=faces) < true_accuracy
        found = intervals(
            figures(errors.mean(), right.mean(), age_mse=(errors**2).mean(), examples=faces)
        )
        for name, truth in (("age_mae", true_mae), ("gender_accuracy", true_accuracy)):
            low, high = found[name]
            inside[name] += low <= truth <= high
    assert {name: 0.92 < count / 400 < 0.98 for name, count in inside.items()} == {
        "age_mae": True,
        "gender_accuracy": True,
    }


def test_intervals_near_the_ends():
    low, high = intervals(figures(0.0, 1.0, age_mse=0.0, examples=50))["gender_accuracy"]
    assert 0.9 < low < 0.95
    assert high == 1.0
    assert intervals(figures(1.0, 1.0, age_mse=1.0, examples=1)) == {}
