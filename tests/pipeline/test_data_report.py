from pathlib import Path

import pytest
from rich.console import Console

from components.data_report.verdict import VERDICT_FILE, Judgement, Verdict
from pipeline import data_report
from pipeline.errors import UserError
from pipeline.record import Artifact, NodeRun

RULES = (
    Judgement("female_share", "12.0%", 0.12, "40% to 60%", False, "Add [women]."),
    Judgement("mean_age", "33.3 years", 33.3, "25 to 45 years", True, "Look."),
    Judgement("race_shares", "White 42.7%", 0.427, "", None, ""),
)


def said(folder: Path, rules: tuple[Judgement, ...], gate: NodeRun | None) -> str:
    verdict = Verdict(all(rule.passed is not False for rule in rules), "faces", rules)
    (folder / VERDICT_FILE).write_text(verdict.to_json())
    report = node("COMPLETE", verdict=Artifact(1, str(folder), {}))
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        data_report.show_gate(console, report, gate)
    return captured.get()


def node(state: str, **outputs: Artifact) -> NodeRun:
    return NodeRun(1, state, 0.0, outputs, {}, {}, "")


def test_every_violated_rule_is_a_line_with_figure_bound_and_advice(tmp_path: Path) -> None:
    lines = said(tmp_path, RULES, node("FAILED")).splitlines()
    assert lines[0] == "Data gate: 1 of 2 rules violated"
    assert lines[1] == "  female_share: 12.0%; must be 40% to 60%. Add [women]."
    assert "--accept-data" in lines[2]
    assert len(lines) == 4


def test_who_accepted_it_is_said_instead_of_how_to(tmp_path: Path) -> None:
    properties = {"accepted_by": "ada", "reason": "a pilot [test]"}
    accepted = node("COMPLETE", approval=Artifact(2, str(tmp_path), properties))
    text = said(tmp_path, RULES, accepted)
    assert "accepted by ada: a pilot [test]" in text
    assert "--accept-data" not in text


def test_sound_data_are_one_line(tmp_path: Path) -> None:
    text = said(tmp_path, RULES[1:], node("COMPLETE"))
    assert text.splitlines()[0] == "Data gate: passed"
    assert len(text.splitlines()) == 2


def test_without_a_run_there_is_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run has judged data"):
        data_report.run_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
