"""A made-up model and all that is known of it."""

import datetime
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.data_report.verdict import Judgement, Verdict
from components.face_example_gen.ledger import Cell, Ledger
from components.face_example_gen.rejects import Reason
from components.model_card.known import About, Known, Publication
from components.model_report.report import Report
from components.selector.leaderboard import leaderboard
from components.selector.logic import Candidate, Champion, Thresholds, choose
from components.selector.slices import SliceLimits
from schema import features
from trainer.hyperparameters import Hyperparameters


def figures(shift: float, faces: int) -> dict[str, float]:
    """Of some faces; any other `shift` makes every one of them another number."""
    return {
        "examples": float(faces), "age_mae": 5.13 + shift, "age_mse": 61.7 + 30 * shift,
        "age_rmse": 7.86 + shift, "age_r2": 0.81 - shift / 9, "age_within_5": 0.613 - shift / 9,
        "age_within_10": 0.874 - shift / 9, "age_coverage": 0.906 - shift / 9,
        "age_interval_width": 21.4 + shift, "age_group_accuracy": 0.552 - shift / 9,
        "gender_accuracy": 0.927 - shift / 9, "gender_auc": 0.981 - shift / 9,
        "gender_precision": 0.931 - shift / 9, "gender_recall": 0.917 - shift / 9,
        "gender_f1": 0.924 - shift / 9, "gender_ece": 0.017 + shift / 99,
    }  # fmt: skip


def slices(shift: float) -> dict[str, dict[str, float]]:
    columns = {
        features.GENDER: range(2),
        features.RACE: range(5),
        features.AGE_GROUP: features.AGE_GROUPS,
        features.PREDICTED_AGE_GROUP: features.AGE_GROUPS,
        features.BRIGHTNESS_LEVEL: features.BRIGHTNESS_LEVELS,
        features.SHARPNESS_LEVEL: features.SHARPNESS_LEVELS,
    }
    names = [f"{column}={value}" for column, values in columns.items() for value in values]
    names += [f"race={race},gender={gender}" for race in range(5) for gender in range(2)]
    found = {"overall": figures(shift, 1234 + round(100 * shift))}
    for place, name in enumerate(names):
        found[name] = figures(shift + (0.05 + 0.09 * shift) * place, 120 + place)
    return found


def report(folder: Path, shift: float) -> Report:
    folder.mkdir(exist_ok=True)
    names = ("curves", "age_groups", "age_scatter", "confusion", "reliability", "age_coverage")
    for name in (*names, "slices", "mistakes", "looks"):
        (folder / f"{name}.png").write_bytes(name.encode())
    row = {
        "change": "darker", "strength": "25% of the light", "age_mae": 6.27 + shift,
        "age_shift": -1.53 - shift, "gender_accuracy": 0.883 - shift / 9, "age_coverage": None,
    }  # fmt: skip
    pictures = [
        {"file": f"{name}.png", "title": name, "caption": "Shown.", "wide": name == "slices"}
        for name in (*names, "slices", "mistakes", "looks")
    ]
    content = {
        "faces": 1234,
        "pictures": pictures,
        "speed": {
            "latency_ms": 2.31 + shift, "images_per_second": 812.0, "batch": 32, "calls": 433,
            "batches": 27, "cores": 1, "cpu": "a processor",
        },
        "robustness": {"faces": 500, "seed": 0, "rows": [row]},
    }  # fmt: skip
    return Report(content, folder)


def training(name: str, shift: float) -> dict[str, Any]:
    hyper = Hyperparameters(seed=7, input_size=None, learning_rate=0.00213 + shift / 1e3)
    return {
        "model": name, "store_size": 64, "mirror": True, "parameters": 345_678, "epochs": 31,
        "hyperparameters": hyper.model_dump(mode="json"), "hyperparameters_from": "checked in",
        "frozen_epochs": 0, "precision": "mixed_bfloat16", "seconds": 1679.3 + 100 * shift,
    }  # fmt: skip


def calibration(shift: float) -> dict[str, Any]:
    return {
        "age": {"method": "conformalised quantiles", "coverage": 0.9, "faces": [800, 683]},
        "gender": {
            "temperature": 1.37 + shift, "faces": 1483,
            "log_loss_before": 0.213 + shift, "log_loss_after": 0.187 + shift,
            "ece_before": 0.041 + shift / 99, "ece_after": 0.012 + shift / 99,
        },
    }  # fmt: skip


def board(shift: float, *failed: str) -> dict[str, Any]:
    thresholds = Thresholds(max_age_mae=6.25, min_gender_accuracy=0.885, min_auc=0.955)
    model: dict[str, float | None] = {"parameters": 345_678 + 10 * shift, "bytes": 1.72e6}
    test = slices(shift)
    ours = Candidate("multitask", test["overall"], test, failed, "ours", model)
    champion = Champion(
        0, {"overall": figures(shift, 1234) | {"age_mae": 14.83 + shift}}, "constant"
    )
    limits = SliceLimits()
    decision = choose([ours], champion, thresholds)
    return leaderboard([ours], champion, thresholds, limits, 0.0, decision)


def ledger() -> Ledger:
    used = Counter({Cell("train", 20, 1, 0): 700, Cell("train", 30, 0, 1): 513})
    used[Cell("test", 3, 1, 2)] = 291
    return Ledger(used, rejected=Counter({Reason.DUPLICATE: 259, Reason.BAD_NAME: 3}))


def verdict(passed: bool = True) -> Verdict:
    rule = Judgement("female_share", "all 48.1%", 0.481, "at least 40%", passed, "Look.")
    return Verdict(passed, "/home/someone/UTKFace.tar.gz", (rule,))


Make = Callable[..., Known]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes what is known, with every measurement shifted and some of it replaced."""

    def known(shift: float = 0.0, **changes: Any) -> Known:
        said: dict[str, Any] = {
            "board": board(shift),
            "figures": training("multitask_cnn", shift),
            "calibration": calibration(shift),
            "report": report(tmp_path / "report", shift),
            "ledger": ledger(),
            "verdict": verdict(),
            "about": About(
                source="UTKFace.tar.gz",
                command="agegender run --profile cpu \\\n  --data UTKFace.tar.gz",
                commit="0123456789ab",
            ),
            "digest": "f00d" * 16,
            "publication": Publication(version=3, pushed=True),
            "date": datetime.date(2026, 11, 24),
        }
        made = Known(**said | changes)
        json.dumps(made.board, allow_nan=False)
        return made

    return known
