"""The rules of the data gate: what one says, and the ones there are. Free of TensorFlow."""

import difflib
from collections.abc import Iterable
from importlib import resources
from typing import Any

import yaml
from pydantic import ConfigDict, Field, model_validator

from components.data_report.facts import PICTURE_FEATURES
from components.data_report.measures import ALL, EACH, LABELS, MEASURES, Measure, Value
from schema import features
from trainer.hyperparameters import Strict


class Rule(Strict):
    """What is measured, and within which bounds it must be; schema/expectations.yaml explains."""

    model_config = ConfigDict(serialize_by_alias=True)  # `is` is no name in Python

    measure: str
    of: str | tuple[str, ...] = Field((), description="a feature, or several to combine")
    is_: Value | tuple[Value, ...] | None = Field(
        None, alias="is", description="only this value of it, or of each"
    )
    splits: str = Field(EACH, description="each, all together, or one's name")
    at_least: float | None = Field(None, allow_inf_nan=False)
    at_most: float | None = Field(None, allow_inf_nan=False)
    advice: str = Field("", description="what to do when it is violated")

    @property
    def features(self) -> tuple[str, ...]:
        """The features it measures."""
        return (self.of,) if isinstance(self.of, str) else self.of

    @property
    def values(self) -> tuple[Value, ...]:
        """The value of each feature it looks at; none when it looks at all."""
        if self.is_ is None:
            return ()
        return self.is_ if isinstance(self.is_, tuple) else (self.is_,)

    @property
    def is_judged(self) -> bool:
        """Whether it has bounds."""
        return self.at_least is not None or self.at_most is not None

    @model_validator(mode="after")
    def _can_be_measured(self) -> "Rule":
        if self.measure not in MEASURES:
            raise ValueError(f"no measure {self.measure!r}: {_choice(self.measure, MEASURES)}")
        measure = MEASURES[self.measure]
        _check_features(self, measure)
        _check_values(self, measure)
        _check_splits(self, measure)
        if None not in (self.at_least, self.at_most) and self.at_least > self.at_most:  # type: ignore[operator]
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}")
        return self


def defaults() -> dict[str, dict[str, Any]]:
    """The rules as they stand in schema/expectations.yaml, by name."""
    return yaml.safe_load(resources.files("schema").joinpath("expectations.yaml").read_text())


def _check_features(rule: Rule, measure: Measure) -> None:
    names = rule.features
    if not measure.of and names:
        raise ValueError(f"measure {rule.measure} takes no `of`")
    if measure.needs_of and not names:
        raise ValueError(f"measure {rule.measure} needs `of`: {_choice('', measure.of)}")
    if len(names) > 1 and not measure.combines:
        raise ValueError(f"measure {rule.measure} takes one feature, not {', '.join(names)}")
    for name in names:
        if name not in measure.of:
            raise ValueError(f"no {rule.measure} of {name!r}: {_choice(name, measure.of)}")
    if len(set(names)) < len(names):
        raise ValueError(f"`of` names a feature twice: {', '.join(names)}")


def _check_values(rule: Rule, measure: Measure) -> None:
    if not rule.values:
        return
    if not measure.combines:
        raise ValueError(f"measure {rule.measure} takes no `is`")
    if len(rule.values) != len(rule.features):
        raise ValueError("`is` takes one value for each feature in `of`")
    for name, value in zip(rule.features, rule.values, strict=True):
        if value not in LABELS[name].values:
            raise ValueError(f"no {name} {value!r}: {_choice(value, LABELS[name].values)}")


def _check_splits(rule: Rule, measure: Measure) -> None:
    if not measure.by_split:
        if "splits" in rule.model_fields_set and rule.splits != EACH:
            raise ValueError(f"measure {rule.measure} takes no `splits`")
        return
    known = (EACH, ALL, *features.SPLITS)
    if rule.splits not in known:
        raise ValueError(f"no split {rule.splits!r}: {_choice(rule.splits, known)}")
    if rule.splits == ALL and (
        rule.measure == "split_share" or set(rule.features) & set(PICTURE_FEATURES)
    ):
        what = " of ".join((rule.measure, *rule.features))
        raise ValueError(f"{what} is measured split by split: `splits` cannot be all")


def _choice(given: Value, known: Iterable[Value]) -> str:
    """What could have been meant."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(given, names, n=1) if isinstance(given, str) else []
    if near:
        return f"did you mean {near[0]}?"
    return f"it is one of {', '.join(names)}" if len(names) < 20 else f"{names[0]} to {names[-1]}"
