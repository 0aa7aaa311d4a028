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
median for one picture, the rate that of batches of 32.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats  # type: ignore[import-untyped]

from components.selector.logic import (
    CONSTANT_VERSION,
    Candidate,
    Champion,
    Decision,
    Figures,
    Thresholds,
    broken_rules,
    figures_score,
)
from components.selector.slices import OVERALL, SliceLimits, worst

CONFIDENCE = 0.95
MODEL_FACTS = ("parameters", "bytes", "training_seconds", "latency_ms", "images_per_second")

# Threshold -> the figure it bounds, and whether more is better.
_BOUNDED = {
    "max_age_mae": ("age_mae", False),
    "min_gender_accuracy": ("gender_accuracy", True),
    "min_auc": ("gender_auc", True),
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
    content = {
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
    finite: dict[str, Any] = _finite(content)
    return finite


def intervals(figures: Figures) -> dict[str, tuple[float, float]]:
    """95% intervals of the figures of a slice that have one; empty for fewer than two faces.

    Of `age_mae` as of any mean, from its standard error (the mean of squared absolute errors is
    `age_mse`); of `gender_accuracy` Wilson's (1927), sound near 1 and for few faces. TFMA's
    jackknife would measure everything twenty times more.
    """
    count = round(figures.get("examples", 0))
    if count < 2:
        return {}
    mae, accuracy = figures["age_mae"], figures["gender_accuracy"]
    error = math.sqrt(max(figures["age_mse"] - mae**2, 0) / (count - 1))
    reach = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    right = stats.binomtest(round(accuracy * count), count)
    share = right.proportion_ci(CONFIDENCE, method="wilson")
    return {
        "age_mae": (mae - reach, mae + reach),
        "gender_accuracy": (float(share.low), float(share.high)),
    }


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
        "thresholds": _margins(overall, thresholds),
        "worst_slices": worst(one.test, limits),
        "slices": {name: dict(one.test[name]) for name in sorted(one.test) if name != OVERALL},
        "model": {name: one.model.get(name) for name in MODEL_FACTS},
    }


def _margins(figures: Figures, thresholds: Thresholds) -> dict[str, dict[str, Any]]:
    margins = {}
    for name, (figure, more_is_better) in _BOUNDED.items():
        limit = getattr(thresholds, name)
        if limit is None:
            continue
        value = figures.get(figure, math.nan)
        margin = value - limit if more_is_better else limit - value
        margins[name] = {
            "figure": figure,
            "value": value,
            "limit": limit,
            "margin": margin,
            "passed": margin >= 0,
        }
    return margins


def _finite(value: Any) -> Any:
    """The same with None for what JSON has no number for."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
