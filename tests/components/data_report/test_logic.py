import pytest

from components.data_report.expectations import Rule, defaults
from components.data_report.facts import Facts
from components.data_report.logic import judge
from components.data_report.verdict import parse_verdict
from components.face_example_gen.ledger import Ledger
from tests.components.data_report.conftest import all_facts, divergence

SHARE = {"measure": "share", "of": "gender", "is": "female"}
CELLS = {"measure": "examples", "of": ["age_group", "gender"], "splits": "all"}


def judgement(said, facts):
    (found,) = judge({"it": Rule.model_validate(said)}, facts, "").rules
    return found


@pytest.mark.parametrize(
    ("said", "holds", "breaks", "value", "measured"),
    [
        ({"measure": "examples"}, {"at_least": 2}, {"at_least": 3}, 2, "val 2"),
        (CELLS, {"at_least": 0}, {"at_least": 1}, 0, "0-4 male 0"),
        (SHARE | {"splits": "all"}, {"at_most": 0.4}, {"at_most": 0.3}, 7 / 18, "38.9%"),
        (SHARE, {"at_least": 0.3}, {"at_least": 0.4}, 1 / 3, "train 33.3%"),
        ({"measure": "mean", "of": "age"}, {"at_most": 27}, {"at_most": 26}, 80 / 3, "26.7 years"),
        ({"measure": "median", "of": "age"}, {"at_least": 25}, {"at_least": 26}, 25, "val 25 year"),
        ({"measure": "smallest", "of": "age"}, {"at_most": 20}, {"at_most": 3}, 20, "train 20"),
        ({"measure": "largest", "of": "age"}, {"at_least": 30}, {"at_least": 80}, 30, "train 30"),
        ({"measure": "mean", "of": "brightness"}, {"at_most": 0.7}, {"at_most": 0.4}, 0.5, "0.50"),
        # 6 faces of train were left out by choice: the splits were made before.
        (
            {"measure": "split_share", "splits": "train"},
            {"at_least": 0.7},
            {"at_most": 0.7},
            18 / 24,
            "train 75.0%",
        ),
        # They are no fault of the files either: 4 of 28 are unfit.
        ({"measure": "reject_fraction"}, {"at_most": 0.2}, {"at_most": 0.1}, 4 / 28, "14.3%"),
        ({"measure": "anomalies"}, {"at_most": 1}, {"at_most": 0}, 1, "width in val: too wide"),
        ({"measure": "split_divergence"}, {"at_most": 2}, {"at_most": 1}, 1.5, "0.0900 bits (0.06"),
        ({"measure": "drift"}, {"at_most": 1}, {"at_most": 0.4}, 0.5, "last accepted val 0.0300"),
    ],
)
def test_each_measure_holds_and_breaks(facts, said, holds, breaks, value, measured):
    for bounds, passed in ((holds, True), (breaks, False)):
        found = judgement(said | bounds, facts)
        assert found.passed is passed
        assert found.value == pytest.approx(value)
        assert measured in found.measured


def test_the_worst_figures_are_named_first(facts):
    found = judgement(CELLS | {"at_least": 7}, facts)
    # Of 20 cells 18 are empty.
    assert found.measured.count(" 0,") == 9
    assert found.measured.endswith(" 0 and 10 more")
    found = judgement(CELLS | {"of": "age_group", "at_most": 8}, facts)
    assert found.measured == "30-39 11 and 9 more that hold"


def test_without_bounds_it_is_only_reported(facts):
    found = judgement({"measure": "share", "of": "race", "splits": "all"}, facts)
    assert (found.passed, found.bound) == (None, "")
    assert found.measured.startswith("White 38.9%, Black 61.1%, Asian 0.0%")


@pytest.mark.parametrize("name", defaults())
def test_nothing_at_all_violates_rules_and_stops_none(name):
    found = judgement(defaults()[name], Facts(ledger=Ledger()))
    if not Rule.model_validate(defaults()[name]).is_judged:
        assert found.passed is None
    else:
        # What counts faults or compares finds none.
        assert found.passed is (name in {"no_anomalies", "splits_alike", "no_drift"})


def test_the_first_data_have_nothing_to_drift_from():
    found = judgement({"measure": "drift", "at_most": 1}, all_facts(drift=None))
    assert (found.passed, found.measured) == (True, "no earlier data to compare with")


def test_what_could_not_be_compared_counts_as_different():
    said = {"measure": "split_divergence", "at_most": 1}
    found = judgement(said, all_facts(between_splits=[divergence(0.01), divergence(None)]))
    assert (found.passed, found.value) == (False, None)
    assert found.measured.startswith("brightness of val against train could not be compared")


def test_one_violated_rule_spoils_the_verdict_and_the_file_says_it_all(facts):
    rules = {
        "few": Rule(measure="examples", at_least=2),
        "many": Rule(measure="examples", at_least=99, advice="Add pictures."),
        "race": Rule(measure="share", of="race"),
    }
    verdict = judge(rules, facts, "faces.tar.gz")
    assert not verdict.passed
    assert [rule.rule for rule in verdict.violated] == ["many"]
    assert verdict.violated[0].line == (
        "many: val 2, calib 2, test 2, train 12; must be at least 99. Add pictures."
    )
    assert parse_verdict(verdict.to_json()) == verdict
    assert judge({"race": rules["race"]}, facts, "").passed
