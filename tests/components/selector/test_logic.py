import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.selector.logic import (
    Candidate,
    Champion,
    Thresholds,
    choose,
    figures_score,
    score,
)

THRESHOLDS = Thresholds(max_age_mae=8, min_gender_accuracy=0.8)


def figures(age_mae, gender_accuracy):
    return {"age_mae": age_mae, "gender_accuracy": gender_accuracy}


def candidate(name, val=(4, 0.9), test=(4, 0.9), failed=(), digest=None):
    return Candidate(
        name, figures(*val), {"overall": figures(*test)}, tuple(failed), digest or name
    )


def champion(test=(16, 0.5), version=0, digest="champion"):
    return Champion(version, {"overall": figures(*test)}, digest)


@pytest.mark.parametrize(
    ("age_mae", "gender_accuracy", "expected"),
    [(8, 0.8, 2.0), (4, 0.9, 1.0), (0, 1, 0.0), (16, 0.8, 3.0), (8, 0.6, 3.0)],
)
def test_score(age_mae, gender_accuracy, expected):
    assert score(age_mae, gender_accuracy, THRESHOLDS) == pytest.approx(expected)


@pytest.mark.parametrize(
    "wrong",
    [{"max_age_mae": 0}, {"min_gender_accuracy": 1.0}, {"min_auc": 1.1}, {"max_mae": 3}],
)
def test_thresholds_refuse_what_no_score_can_use(wrong):
    with pytest.raises(ValidationError):
        Thresholds(**({"max_age_mae": 8, "min_gender_accuracy": 0.8} | wrong))


def test_a_model_that_costs_more_than_allowed_breaks_a_rule_each():
    model = {"parameters": 4_200_000, "latency_ms": 7.25, "bytes": 9}
    assert THRESHOLDS.too_costly(model) == []
    limits = {"max_parameters": 2_500_000, "max_latency_ms": 5.0}
    strict = THRESHOLDS.model_copy(update=limits)
    assert strict.too_costly(model) == [
        "parameters 4,200,000 is above 2,500,000",
        "latency_ms 7.25 is above 5.0",
    ]
    assert strict.too_costly({"parameters": 2_500_000, "latency_ms": None}) == []


@pytest.mark.parametrize(
    ("candidates", "holder", "tolerance", "ranking", "winner", "blessed", "says"),
    [
        pytest.param(
            # b is better on test, but test figures do not choose.
            [candidate("a", val=(4, 0.9), test=(6, 0.9)), candidate("b", val=(5, 0.9))],
            champion(),
            0.0,
            ("a", "b"),
            "a",
            True,
            "a wins and beats the constant predictor: test score 1.250 against 4.500.",
            id="best-on-val-wins",
        ),
        pytest.param(
            [candidate("a", val=(1, 0.99), failed=["age_mae 9 is above 8"]), candidate("b")],
            champion(),
            0.0,
            ("b", "a"),
            "b",
            True,
            "b wins and beats",
            id="a-better-loser-ranks-below",
        ),
        pytest.param(
            [candidate("b", failed=["x"]), candidate("a", val=(5, 0.9), failed=["x"])],
            champion(),
            0.0,
            ("b", "a"),
            None,
            False,
            "No candidate passed (b has the best score on val).",
            id="none-passed",
        ),
        pytest.param(
            [candidate("b"), candidate("a")],
            champion(),
            0.0,
            ("a", "b"),
            "a",
            True,
            "a wins",
            id="ties-by-name",
        ),
        pytest.param(
            [candidate("a", test=(4.1, 0.9))],
            champion(test=(4, 0.9), version=7),
            0.0,
            ("a",),
            "a",
            False,
            "a wins but is worse than the champion, version 7: test score 1.012 against 1.000.",
            id="worse-than-champion",
        ),
        pytest.param(
            [candidate("a", test=(4.1, 0.9))],
            champion(test=(4, 0.9), version=7),
            0.02,
            ("a",),
            "a",
            True,
            "a wins, worse than the champion, version 7 within the tolerance",
            id="worse-within-tolerance",
        ),
        pytest.param(
            [candidate("a")],
            champion(test=(4, 0.9), version=7),
            0.0,
            ("a",),
            "a",
            True,
            "a wins and equals the champion, version 7",
            id="equal-figures",
        ),
        pytest.param(
            [candidate("a", test=(4.1, 0.9), digest="same")],
            champion(test=(4, 0.9), version=7, digest="same"),
            0.0,
            ("a",),
            "a",
            True,
            "a wins and is the champion, version 7.",
            id="the-champion-itself",
        ),
        pytest.param(
            [candidate("a", val=(math.nan, 0.9)), candidate("b", val=(7, 0.9))],
            champion(),
            0.0,
            ("b", "a"),
            "b",
            True,
            "b wins",
            id="a-val-figure-that-is-no-number-cannot-win",
        ),
        pytest.param(
            [candidate("a")],
            champion(test=(math.nan, 0.9), version=7),
            0.0,
            ("a",),
            "a",
            True,
            "a wins and beats",
            id="a-broken-champion-holds-nobody-back",
        ),
    ],
)
def test_choose(candidates, holder, tolerance, ranking, winner, blessed, says):
    decision = choose(candidates, holder, THRESHOLDS, tolerance)
    assert decision.ranking == ranking
    assert decision.winner == winner
    assert decision.blessed is blessed
    assert decision.reason.startswith(says)
    assert decision.emitted == ranking[0]


# Few distinct values, so that ties and equal scores are common.
pairs = st.tuples(st.sampled_from([3.0, 4.0, 8.0, math.nan]), st.sampled_from([0.5, 0.9, 1.0]))
some_candidates = st.lists(
    st.builds(
        candidate,
        st.sampled_from("abcdef"),
        val=pairs,
        test=pairs,
        failed=st.sampled_from([(), ("x",)]),
    ),
    min_size=1,
    unique_by=lambda one: one.name,
)


@given(some_candidates, pairs, st.sampled_from([0.0, 0.1]), st.randoms(use_true_random=False))
def test_the_winner_passed_and_nothing_that_passed_scores_lower(
    candidates, champion_test, tolerance, random
):
    holder = champion(test=champion_test, version=1)
    decision = choose(candidates, holder, THRESHOLDS, tolerance)

    by_name = {one.name: one for one in candidates}
    val = {one.name: figures_score(one.val, THRESHOLDS) for one in candidates}
    passed = [one for one in candidates if not one.failed and math.isfinite(val[one.name])]
    assert sorted(decision.ranking) == sorted(by_name)
    assert (decision.winner is None) == (not passed)
    if decision.winner is not None:
        assert by_name[decision.winner] in passed
        assert val[decision.winner] == min(val[one.name] for one in passed)
        limit = figures_score(holder.test["overall"], THRESHOLDS) * (1 + tolerance)
        ours = figures_score(by_name[decision.winner].test["overall"], THRESHOLDS)
        assert decision.blessed == (ours <= limit)
    else:
        assert not decision.blessed

    random.shuffle(candidates)
    assert choose(candidates, holder, THRESHOLDS, tolerance) == decision
