"""Judges data by rules."""

import math
from collections.abc import Mapping

from components.data_report.expectations import Rule
from components.data_report.facts import Facts
from components.data_report.measures import MEASURES, Figure
from components.data_report.verdict import Judgement, Verdict
from schema import features

# Figures a rule's text names: of more than a few only the worst, the violations foremost.
_FEW, _MANY = 5, 10


def judge(rules: Mapping[str, Rule], facts: Facts, source: str) -> Verdict:
    """The verdict on the data: good when no rule is violated."""
    judgements = tuple(_judge(name, rule, facts) for name, rule in rules.items())
    passed = all(judgement.passed is not False for judgement in judgements)
    return Verdict(passed, source, judgements)


def outside(rule: Rule, value: float | None) -> float:
    """How far beyond the rule's bounds a value is; negative within them, inf when there is none."""
    if value is None:
        return math.inf
    below = -math.inf if rule.at_least is None else rule.at_least - value
    above = -math.inf if rule.at_most is None else value - rule.at_most
    return max(below, above)


def bound_in_words(rule: Rule) -> str:
    """The bounds as a person reads them; "" when there are none."""
    unit = " years" if _is_in_years(rule) else ""
    low, high = (None if b is None else _bound(rule, b) for b in (rule.at_least, rule.at_most))
    if low is not None and high is not None:
        return (f"exactly {low}" if low == high else f"{low} to {high}") + unit
    if low is not None:
        return f"at least {low}{unit}"
    return f"at most {high}{unit}" if high is not None else ""


def _judge(name: str, rule: Rule, facts: Facts) -> Judgement:
    figures = MEASURES[rule.measure].figures(facts, rule)
    if rule.is_judged:
        figures = sorted(figures, key=lambda figure: -outside(rule, figure.value))
    violations = sum(outside(rule, figure.value) > 0 for figure in figures)
    return Judgement(
        rule=name,
        measured=_in_words(rule, figures, violations),
        value=figures[0].value if figures else None,
        bound=bound_in_words(rule),
        passed=violations == 0 if rule.is_judged else None,
        advice=rule.advice,
    )


def _in_words(rule: Rule, figures: list[Figure], violations: int) -> str:
    if not figures:
        return MEASURES[rule.measure].without
    shown = _FEW if len(figures) <= _FEW else min(violations or 2, _MANY)
    texts = [" ".join(filter(None, (one.where, _value(rule, one)))) for one in figures[:shown]]
    more = len(figures) - shown
    hold = " that hold" if 0 < violations <= shown else ""
    return ", ".join(texts) + (f" and {more} more{hold}" if more > 0 else "")


def _value(rule: Rule, figure: Figure) -> str:
    if figure.text:
        return figure.text
    return "nothing to measure" if figure.value is None else _number(rule, figure.value)


def _number(rule: Rule, value: float) -> str:
    unit = MEASURES[rule.measure].unit
    if unit == "share":
        return f"{value:.1%}"
    if unit == "count":
        return f"{value:,}"
    return f"{value:.1f}".removesuffix(".0") + " years" if _is_in_years(rule) else f"{value:.2f}"


def _bound(rule: Rule, bound: float) -> str:
    unit = MEASURES[rule.measure].unit
    if unit == "share":
        return f"{100 * bound:.4g}%"
    if unit == "multiple of what is allowed":
        return "what is allowed" if bound == 1 else f"{bound:g} times what is allowed"
    return f"{bound:,g}"


def _is_in_years(rule: Rule) -> bool:
    return MEASURES[rule.measure].unit == "number" and rule.features == (features.AGE,)
