"""Which candidate wins, and whether it may replace the champion.

Figures are named as `pipeline.evaluation` names them: `age_mae` (years), `gender_accuracy` (0 to 1)
and so on; those of the test split come per slice, "overall" among them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from components.selector.slices import OVERALL
from trainer.score import score as formula

CONSTANT_VERSION = 0  # the champion's version while nothing is published

COSTS = ("parameters", "latency_ms")  # that have a limit

Figures = Mapping[str, float]


class Thresholds(BaseModel):
    """What a candidate must reach on the whole test split, and cost, before it may be published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_age_mae: float = Field(gt=0, description="years")
    # At 1.0 the score would divide by zero.
    min_gender_accuracy: float = Field(ge=0, lt=1)
    min_auc: float | None = Field(default=None, ge=0, le=1, description="of gender")
    max_parameters: int | None = Field(default=None, gt=0, description="weights of the model")
    max_latency_ms: float | None = Field(
        default=None, gt=0, description="of one picture on one core, the median"
    )

    def too_costly(self, model: Mapping[str, float | None]) -> list[str]:
        """One line per limit of cost that a model exceeds; what is not known exceeds none.

        Args:
          model: its size and cost, by name.
        """
        return [
            f"{name} {value:,} is above {limit:,}"
            for name in COSTS
            if (limit := getattr(self, f"max_{name}")) is not None
            and (value := model.get(name)) is not None
            and value > limit
        ]


@dataclass(frozen=True)
class Candidate:
    """A candidate with its figures; `failed` says, one line each, which test rules it broke."""

    name: str
    val: Figures
    test: Mapping[str, Figures]
    failed: tuple[str, ...]
    digest: str  # of the servable's content
    model: Mapping[str, float | None] = field(default_factory=dict)  # size and cost, by name


@dataclass(frozen=True)
class Champion:
    """What is serving now; the constant predictor when nothing is."""

    version: int
    test: Mapping[str, Figures]
    digest: str
    model: Mapping[str, float | None] = field(default_factory=dict)  # as of a candidate


@dataclass(frozen=True)
class Decision:
    """The outcome.

    `ranking` holds all names, best first: those that passed by their val score, then the others.
    `winner` is the best that passed, None when none did; `blessed` says whether it may be
    published; `reason` is one sentence.
    """

    ranking: tuple[str, ...]
    winner: str | None
    blessed: bool
    reason: str

    @property
    def emitted(self) -> str:
        """Whose model the Selector hands on: the winner's, or the best loser's."""
        return self.ranking[0]


def score(age_mae: float, gender_accuracy: float, thresholds: Thresholds) -> float:
    """`trainer.score` under these thresholds, so a candidate is judged by what it stopped on."""
    return formula(age_mae, gender_accuracy, thresholds.max_age_mae, thresholds.min_gender_accuracy)


def figures_score(figures: Figures, thresholds: Thresholds) -> float:
    """`score` of a split's figures; infinite, worse than any other, when it is not a number."""
    value = score(figures["age_mae"], figures["gender_accuracy"], thresholds)
    return value if math.isfinite(value) else math.inf


def broken_rules(candidate: Candidate, thresholds: Thresholds) -> tuple[str, ...]:
    """Why the candidate may not win, one line each; empty when it passed."""
    if math.isinf(figures_score(candidate.val, thresholds)):
        return (*candidate.failed, "a figure on val is not a number")
    return candidate.failed


def choose(
    candidates: Sequence[Candidate],
    champion: Champion,
    thresholds: Thresholds,
    tolerance: float = 0.0,
) -> Decision:
    """Rank the candidates by val score and hold the winner against the champion on test.

    The winner may be published when its test score is at most `1 + tolerance` times the
    champion's, or when it is the champion. Equal scores rank by name. When none passed, the one
    of the best val score is handed on, unblessed.
    """
    order = sorted(
        candidates,
        key=lambda one: (
            bool(broken_rules(one, thresholds)),
            figures_score(one.val, thresholds),
            one.name,
        ),
    )
    ranking = tuple(one.name for one in order)
    best = order[0]
    if broken_rules(best, thresholds):
        reason = f"No candidate passed ({best.name} has the best score on val)."
        return Decision(ranking, None, False, reason)
    blessed, reason = _against_champion(best, champion, thresholds, tolerance)
    return Decision(ranking, best.name, blessed, reason)


def _against_champion(
    winner: Candidate, champion: Champion, thresholds: Thresholds, tolerance: float
) -> tuple[bool, str]:
    """Whether the winner may be published in the champion's place, and why, in a sentence."""
    title = f"the champion, version {champion.version}"
    if champion.version == CONSTANT_VERSION:
        title = "the constant predictor"
    if winner.digest == champion.digest:
        return True, f"{winner.name} wins and is {title}."
    ours = figures_score(winner.test[OVERALL], thresholds)
    theirs = figures_score(champion.test[OVERALL], thresholds)
    scores = f"test score {ours:.3f} against {theirs:.3f}"
    if ours < theirs:
        return True, f"{winner.name} wins and beats {title}: {scores}."
    if ours == theirs:
        return True, f"{winner.name} wins and equals {title}: {scores}."
    if ours <= theirs * (1 + tolerance):
        return True, f"{winner.name} wins, worse than {title} within the tolerance: {scores}."
    return False, f"{winner.name} wins but is worse than {title}: {scores}."
