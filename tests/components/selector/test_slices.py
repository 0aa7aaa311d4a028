import math

import pytest
from pydantic import ValidationError

from components.selector.slices import Limit, SliceLimits, title, violations, worst

# Whole, then: a slice at its limit of both, one beyond both, one beyond both and too small.
TEST = {
    "overall": {"examples": 600, "age_mae": 5.0, "gender_accuracy": 0.9},
    "race=0": {"examples": 300, "age_mae": 6.0, "gender_accuracy": 0.75},
    "race=2": {"examples": 200, "age_mae": 6.1, "gender_accuracy": 0.7},
    "race=4": {"examples": 99, "age_mae": 50.0, "gender_accuracy": 0.1},
    "race=2,gender=1": {"examples": 100, "age_mae": 4.0, "gender_accuracy": 0.95},
}
LIMITS = SliceLimits(
    min_size=100, race=Limit(max_age_mae_ratio=1.2, max_gender_accuracy_drop=0.15001)
)


def with_figures(name, **figures):
    return TEST | {name: TEST[name] | figures}


def test_each_figure_beyond_its_limit_is_a_line_that_says_all():
    assert violations(TEST, LIMITS) == [
        "Asian (race=2): age_mae 6.1 of 200 faces is 1.22 times the overall 5, at most 1.2 times",
        "Asian (race=2): gender_accuracy 0.7 of 200 faces is 0.200 below the overall 0.9, "
        "at most 0.15001",
    ]


def test_a_dimension_has_limits_of_its_own():
    test = with_figures("race=2,gender=1", age_mae=8.0)
    limits = LIMITS.model_copy(
        update={"race": Limit(), "race_gender": Limit(max_age_mae_ratio=1.5)}
    )
    assert [line.partition(":")[0] for line in violations(test, limits)] == [
        "Asian female (race=2,gender=1)"
    ]


def test_what_has_no_limit_is_not_judged():
    assert violations(TEST, SliceLimits(race=Limit())) == []


def test_a_smaller_minimum_judges_smaller_slices():
    limits = LIMITS.model_copy(update={"min_size": 99})
    assert [line for line in violations(TEST, limits) if "race=4" in line]


def test_a_figure_that_is_not_a_number_breaks_its_limit():
    test = with_figures("race=0", age_mae=math.nan)
    assert "White (race=0): age_mae nan of 300 faces" in violations(test, LIMITS)[0]


def test_a_model_without_error_breaks_nothing():
    test = {name: one | {"age_mae": 0.0, "gender_accuracy": 1.0} for name, one in TEST.items()}
    assert violations(test, LIMITS) == []


def test_the_worst_slice_of_each_dimension_is_named_with_its_limit():
    found = worst(TEST, LIMITS)
    assert set(found) == {"race", "race_gender"}
    assert {figure: one["slice"] for figure, one in found["race"].items()} == {
        "age_mae": "race=2",
        "gender_accuracy": "race=2",
    }
    assert found["race_gender"]["age_mae"] == {
        "slice": "race=2,gender=1",
        "examples": 100,
        "figure": "age_mae",
        "value": 4.0,
        "overall": 5.0,
        "gap": 0.8,
        "limit": 1.5,
    }


def test_setting_one_limit_leaves_the_others_of_its_dimension():
    limits = SliceLimits.model_validate({"race": {"max_age_mae_ratio": 1.05}})
    assert limits.race.max_age_mae_ratio == 1.05
    assert limits.race.max_gender_accuracy_drop == SliceLimits().race.max_gender_accuracy_drop
    off = SliceLimits.model_validate({"race": {"max_age_mae_ratio": None}})
    assert off.race.max_age_mae_ratio is None
    assert SliceLimits.model_validate_json(off.model_dump_json()) == off


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_size": 0},
        {"race": {"max_age_mae_ratio": 0.9}},
        {"race": {"max_gender_accuracy_drop": 1.1}},
        {"race": {"max_mae": 1}},
        {"hair": {}},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        SliceLimits.model_validate(wrong)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("race=3,gender=0", "Indian male (race=3,gender=0)"),
        ("age_group=80+", "age_group=80+"),
        ("brightness_level=dark", "brightness_level=dark"),
    ],
)
def test_title(name, words):
    assert title(name) == words
