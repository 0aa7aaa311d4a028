import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.data_report.expectations import Rule, defaults
from components.data_report.logic import bound_in_words, outside
from components.data_report.measures import LABELS, MEASURES
from schema import features


def test_the_rules_of_the_project_are_sound_and_tell_what_to_do():
    rules = {name: Rule.model_validate(said) for name, said in defaults().items()}
    assert {rule.measure for rule in rules.values()} == set(MEASURES)
    assert all(rule.advice for rule in rules.values() if rule.is_judged)
    reported = {name for name, rule in rules.items() if not rule.is_judged}
    assert reported == {"split_shares", "race_shares"}


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"measure": "shares"}, "no measure 'shares': did you mean share?"),
        ({"measure": "share"}, "measure share needs `of`: it is one of age, age_group, gender"),
        ({"measure": "share", "of": "gendre"}, "no share of 'gendre': did you mean gender?"),
        ({"measure": "mean", "of": "gender"}, "no mean of 'gender'"),
        ({"measure": "mean", "of": ["age", "width"]}, "takes one feature, not age, width"),
        ({"measure": "share", "of": ["age", "age"]}, "names a feature twice"),
        ({"measure": "anomalies", "of": "age"}, "measure anomalies takes no `of`"),
        ({"measure": "share", "of": "gender", "is": "femal"}, "did you mean female?"),
        ({"measure": "share", "of": "age", "is": 117}, "no age 117: 0 to 116"),
        ({"measure": "share", "of": ["race", "gender"], "is": "male"}, "one value for each"),
        ({"measure": "mean", "of": "age", "is": 3}, "measure mean takes no `is`"),
        ({"measure": "examples", "splits": "tets"}, "no split 'tets': did you mean test?"),
        ({"measure": "drift", "splits": "test"}, "measure drift takes no `splits`"),
        ({"measure": "mean", "of": "width", "splits": "all"}, "measured split by split"),
        ({"measure": "split_share", "splits": "all"}, "measured split by split"),
        ({"measure": "examples", "at_least": 2, "at_most": 1}, "at_least 2.0 is above at_most 1.0"),
        ({"measure": "examples", "at_least": float("nan")}, "finite number"),
        ({"measure": "examples", "atleast": 2}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_rule_is_refused_in_plain_words(said, complaint):
    with pytest.raises(ValidationError) as refused:
        Rule.model_validate(said)
    assert complaint in str(refused.value)


LABEL_RULES = st.lists(st.sampled_from(sorted(LABELS)), min_size=1, unique=True).flatmap(
    lambda names: st.fixed_dictionaries(
        {
            "measure": st.sampled_from(["examples", "share"]),
            "of": st.just(names),
            "is": st.none() | st.tuples(*(st.sampled_from(LABELS[name].values) for name in names)),
            "splits": st.sampled_from(["each", "all", *features.SPLITS]),
            "at_least": st.none() | st.floats(0, 1),
            "at_most": st.none() | st.floats(1, 100),
            "advice": st.text(max_size=20),
        }
    )
)


@given(LABEL_RULES)
def test_a_rule_survives_the_way_to_the_component(said):
    rule = Rule.model_validate(said)
    assert Rule.model_validate(json.loads(json.dumps(rule.model_dump(mode="json")))) == rule


@given(
    st.dictionaries(
        st.sampled_from(["measure", "of", "is", "splits", "at_least", "at_most", "advice"]),
        st.none()
        | st.sampled_from([*MEASURES, *LABELS, "female", "each", "train"])
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.sampled_from([*LABELS, "male", "80+"]) | st.text() | st.integers()),
    )
)
def test_whatever_stands_in_the_settings_is_a_rule_or_refused(said):
    try:
        rule = Rule.model_validate(said)
    except ValidationError:
        return
    assert rule.measure in MEASURES


BOUNDS = st.none() | st.floats(-1e6, 1e6)


@given(BOUNDS, BOUNDS, st.floats(-1e6, 1e6))
def test_a_value_is_outside_exactly_when_it_breaks_a_bound(low, high, value):
    if low is not None and high is not None and low > high:
        low, high = high, low
    rule = Rule(measure="examples", at_least=low, at_most=high)
    breaks = (low is not None and value < low) or (high is not None and value > high)
    # Differences below the smallest float are none.
    assert (outside(rule, value) > 0) == breaks
    assert outside(rule, None) > 0
    assert bool(bound_in_words(rule)) == rule.is_judged
