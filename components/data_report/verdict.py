"""The verdict on the data, and its file. Light to import: the gate and the console read it."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

VERDICT_FILE = "verdict.json"
REPORT_FILE = "report.html"


@dataclass(frozen=True)
class Judgement:
    """What came of one rule.

    Attributes:
      rule: its name.
      measured: the figures in words, the worst first.
      value: the worst of them; None when nothing could be measured.
      bound: in words; "" when there is none.
      passed: None when it is only reported.
      advice: what to do when it is violated.
    """

    rule: str
    measured: str
    value: float | None
    bound: str
    passed: bool | None
    advice: str

    @property
    def line(self) -> str:
        """All of it on one line."""
        facts = f"{self.rule}: {self.measured}"
        if self.bound:
            facts += f"; must be {self.bound}"
        return f"{facts}. {self.advice}" if self.passed is False and self.advice else facts


@dataclass(frozen=True)
class Verdict:
    """Whether the data may be learned from; `source` says which data."""

    passed: bool
    source: str
    rules: tuple[Judgement, ...]

    @property
    def violated(self) -> tuple[Judgement, ...]:
        """The rules that did not hold."""
        return tuple(rule for rule in self.rules if rule.passed is False)

    def to_json(self) -> str:
        """The text of VERDICT_FILE."""
        return json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False) + "\n"


def parse_verdict(text: str) -> Verdict:
    """The verdict in the text of VERDICT_FILE."""
    found: dict[str, Any] = json.loads(text)
    return Verdict(
        passed=found["passed"],
        source=found["source"],
        rules=tuple(Judgement(**rule) for rule in found["rules"]),
    )
