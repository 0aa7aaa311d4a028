"""What `leaderboard.json` holds.

```
decision    one sentence          winner   its name, null when none passed
blessed     may it be published   thresholds, slices, tolerance   as in the settings
candidates  a row each, in the order of their rank
champion    a row without rank, val, passed and failed; `version` 0 is the constant predictor
```

A row:

```
rank, name
score         on val, for a champion on test; lower is better, see `trainer.score`
passed        whether all rules were kept     failed   a line for each that was not
val, test     figures by name, see `pipeline.evaluation.read_metrics`
intervals     {figure: [low, high]}: 95% intervals of test figures, see `intervals`
thresholds    {threshold: {figure, value, limit, margin, passed}}; a negative margin is missing
worst_slices  {dimension: {figure: {slice, examples, figure, value, overall, gap, limit}}}
slices        {slice: figures}
model         {parameters, bytes, training_seconds, latency_ms, images_per_second}
```

What is not known or not a number is null. Ages are in years, shares from 0 to 1. Latency is the
median for one picture, the rate that of batches of 32, both on one core, decoding included: see
`components.model_report.speed`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from components.finite import finite
from components.selector.intervals import intervals
from components.selector.logic import (
    CONSTANT_VERSION,
    COSTS,
    Candidate,
    Champion,
    Decision,
    Thresholds,
    broken_rules,
    figures_score,
)
from components.selector.slices import OVERALL, SliceLimits, worst

FILE = "leaderboard.json"
MODEL_FACTS = ("parameters", "bytes", "training_seconds", "latency_ms", "images_per_second")

# Threshold -> the figure it bounds, and whether more is better.
_BOUNDED = {
    "max_age_mae": ("age_mae", False),
    "min_gender_accuracy": ("gender_accuracy", True),
    "min_auc": ("gender_auc", True),
    "max_parameters": ("parameters", False),
    "max_latency_ms": ("latency_ms", False),
}


def leaderboard(
    candidates: Sequence[Candidate],
    champion: Champion,
    thresholds: Thresholds,
    limits: SliceLimits,
    tolerance: float,
    decision: Decision,
) -> dict[str, Any]:
    """The content of `leaderboard.json`, fit for JSON."""
    by_name = {one.name: one for one in candidates}
    rows = [
        _candidate_row(by_name[name], rank, thresholds, limits)
        for rank, name in enumerate(decision.ranking, start=1)
    ]
    is_constant = champion.version == CONSTANT_VERSION
    content: dict[str, Any] = {
        "decision": decision.reason,
        "winner": decision.winner,
        "blessed": decision.blessed,
        "thresholds": thresholds.model_dump(),
        "slices": limits.model_dump(),
        "tolerance": tolerance,
        "candidates": rows,
        "champion": {
            "name": "constant" if is_constant else f"version {champion.version}",
            "version": champion.version,
            "score": figures_score(champion.test[OVERALL], thresholds),
            **_measured(champion, thresholds, limits),
        },
    }
    fit: dict[str, Any] = finite(content)
    return fit


def _candidate_row(
    candidate: Candidate, rank: int, thresholds: Thresholds, limits: SliceLimits
) -> dict[str, Any]:
    failed = broken_rules(candidate, thresholds)
    return {
        "rank": rank,
        "name": candidate.name,
        "score": figures_score(candidate.val, thresholds),
        "passed": not failed,
        "failed": list(failed),
        "val": dict(candidate.val),
        **_measured(candidate, thresholds, limits),
    }


def _measured(
    one: Candidate | Champion, thresholds: Thresholds, limits: SliceLimits
) -> dict[str, Any]:
    """What is said alike of candidates and the champion."""
    overall = one.test[OVERALL]
    return {
        "test": dict(overall),
        "intervals": intervals(overall),
        "thresholds": _margins({**one.model, **overall}, thresholds),
        "worst_slices": worst(one.test, limits),
        "slices": {name: dict(one.test[name]) for name in sorted(one.test) if name != OVERALL},
        "model": {name: one.model.get(name) for name in MODEL_FACTS},
    }


def _margins(
    figures: Mapping[str, float | None], thresholds: Thresholds
) -> dict[str, dict[str, Any]]:
    margins = {}
    for name, (figure, more_is_better) in _BOUNDED.items():
        limit, value = getattr(thresholds, name), figures.get(figure)
        if limit is None or (value is None and figure in COSTS):
            continue
        value = math.nan if value is None else value
        margin = value - limit if more_is_better else limit - value
        margins[name] = {
            "figure": figure,
            "value": value,
            "limit": limit,
            "margin": margin,
            "passed": margin >= 0,
        }
    return margins
