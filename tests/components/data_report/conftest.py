from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from components.data_report.expectations import Rule
from components.data_report.facts import Anomaly, Bar, Divergence, Facts, Numbers
from components.face_example_gen.ledger import Cell, Ledger
from components.face_example_gen.rejects import Reason, Reject
from schema import features

MALE, FEMALE = 0, 1
WHITE, BLACK = 0, 1


def ledger() -> Ledger:
    """12 of train, 2 of each other split; a third of them women, aged 20 and 30."""
    used = Counter({Cell("train", 20, FEMALE, WHITE): 4, Cell("train", 30, MALE, BLACK): 8})
    for split in features.SPLITS[1:]:
        used[Cell(split, 20, FEMALE, WHITE)] = 1
        used[Cell(split, 30, MALE, BLACK)] = 1
    return Ledger(
        used=used,
        left_out=Counter({Cell("train", 1, MALE, WHITE): 6}),
        rejected=Counter({Reason.BAD_NAME: 2, Reason.LABEL_CONFLICT: 2, Reason.THINNED: 6}),
    )


def pictures(brightness: float = 0.5) -> dict[str, dict[str, Numbers]]:
    bars = (Bar(0.0, 0.5, 3), Bar(0.5, 1.0, 1))
    numbers = Numbers(brightness, brightness, 0.1, 0.9, bars)
    return {
        split: {features.BRIGHTNESS: numbers, features.SHARPNESS: numbers}
        for split in features.SPLITS
    }


def divergence(bits: float | None, pair: str = "val against train") -> Divergence:
    return Divergence(features.BRIGHTNESS, pair, bits, threshold=0.05, noise=0.01)


def all_facts(**changes: Any) -> Facts:
    rejects = [
        Reject("a.jpg", Reason.BAD_NAME, "one label field"),
        Reject("b.jpg", Reason.BAD_NAME, "one label field"),
        Reject("20_0_0_1.jpg", Reason.LABEL_CONFLICT, "40_0_0_1.jpg has its pixels", "ab"),
        Reject("40_0_0_1.jpg", Reason.LABEL_CONFLICT, "20_0_0_1.jpg has its pixels", "ab"),
        *(Reject(f"1_0_0_{i}.jpg", Reason.THINNED, "0-4: 0.3") for i in range(6)),
    ]
    known: dict[str, Any] = {
        "ledger": ledger(),
        "rejects": rejects,
        "pictures": pictures(),
        "anomalies": [Anomaly("val", "width", "too wide.")],
        "between_splits": [divergence(0.03), divergence(0.09, "test against train")],
        "drift": [divergence(0.03, "val against the last accepted val")],
    }
    return Facts(**known | changes)


@pytest.fixture
def facts() -> Facts:
    return all_facts()


@pytest.fixture
def rule() -> Callable[..., Rule]:
    return lambda **said: Rule.model_validate(said)
