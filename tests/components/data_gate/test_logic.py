import pytest

from components.data_gate.logic import approve
from components.data_report.verdict import Judgement, Verdict
from pipeline.errors import EXIT_DATA_GATE, UserError


def verdict(**rules: bool | None) -> Verdict:
    judged = [Judgement(name, "1", 1.0, "2", passed, "") for name, passed in rules.items()]
    return Verdict(all(passed is not False for passed in rules.values()), "faces", tuple(judged))


GOOD, BAD = verdict(share=True, mean=None), verdict(share=False, mean=True, median=False)


def test_a_bad_verdict_is_raised_with_every_violated_rule() -> None:
    with pytest.raises(UserError, match="2 rules violated: share, median") as raised:
        approve(BAD, "", "")
    assert raised.value.exit_code == EXIT_DATA_GATE
    assert "\n" not in str(raised.value)


def test_what_a_person_accepts_is_written_down() -> None:
    assert approve(BAD, "a pilot", "ada") == {
        "violated": ["share", "median"],
        "reason": "a pilot",
        "accepted_by": "ada",
    }


@pytest.mark.parametrize("reason", ["", "in any case"])
def test_data_without_fault_need_nobodys_word(reason: str) -> None:
    expected = {"violated": [], "reason": "", "accepted_by": ""}
    assert approve(GOOD, reason, "ada" if reason else "") == expected


def test_a_rule_that_only_reports_violates_nothing() -> None:
    assert approve(verdict(mean=None), "", "")["violated"] == []
