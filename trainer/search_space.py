"""What a search for hyperparameters may change, by model; free of TensorFlow.

Every dimension is one entry of DIMENSIONS. What is checked in is always among its values, and the
first trial of every search.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError

from trainer import names
from trainer.hyperparameters import Hyperparameters, Strict
from trainer.weights import starts_trained

Value = bool | int | float | str
Values = dict[str, Value]  # one for each dimension that is searched

DimensionName = Literal[
    "learning_rate",
    "batch_size",
    "weight_decay",
    "dropout",
    "augmentation",
    "widths",
    "depth",
    "kernel_size",
    "age_head",
    "age_l1",
    "age_sigma",
    "gender_weight",
    "frozen_epochs",
    "unfrozen",
    "unfrozen_learning_rate",
]


class Range(Strict):
    """All numbers between two."""

    min: float
    max: float
    sampling: Literal["linear", "log"] = Field("log", description="log: each order alike")


Wanted = Range | tuple[Value, ...]
_CNNS = ("gender_cnn", "age_cnn", "multitask_cnn")
_ALL = (*_CNNS, names.TRANSFER)
_AGE = ("age_cnn", "multitask_cnn", names.TRANSFER)
_BOTH = ("multitask_cnn", names.TRANSFER)


@dataclass(frozen=True)
class Dimension:
    """One entry.

    Attributes:
      path: where in Hyperparameters it is put, dotted.
      values: what is tried unless settings say otherwise.
      families: of the models it is searched for.
      scaled: for a factor, what makes the new value of the checked-in one and the factor.
    """

    path: str
    values: Wanted
    families: Collection[str] = _ALL
    scaled: Callable[[Any, float], Any] | None = None


def _wider(widths: Sequence[int], factor: float) -> list[int]:
    """Channels times a factor, in steps of 8, which processors like."""
    return [max(8, 8 * round(width * factor / 8)) for width in widths]


def _stronger(limits: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The limits of augmentation times a factor, within what is allowed."""
    most = {"rotation": 180.0}
    return {
        name: limit if isinstance(limit, bool) else min(limit * factor, most.get(name, 0.99))
        for name, limit in limits.items()
    }


_UNFROZEN = "transfer.learning_rate"
DIMENSIONS: dict[str, Dimension] = {
    "learning_rate": Dimension("learning_rate", Range(min=3e-4, max=1e-2)),
    "batch_size": Dimension("batch_size", (32, 64, 128)),
    "weight_decay": Dimension("weight_decay", (0.0, 0.005, 0.02, 0.05)),
    "dropout": Dimension("architecture.dropout", (0.2, 0.3, 0.5)),
    "augmentation": Dimension("augmentation", (0.5, 1.0, 1.5), scaled=_stronger),
    "widths": Dimension("architecture.widths", (0.5, 1.0, 1.5), _CNNS, scaled=_wider),
    "depth": Dimension("architecture.depth", (1, 2), _CNNS),
    "kernel_size": Dimension("architecture.kernel_size", (3, 5), _CNNS),
    "age_head": Dimension("architecture.age_head", ("distribution", "regression"), _AGE),
    "age_l1": Dimension("age_l1", (0.1, 0.2, 0.5), _AGE),
    "age_sigma": Dimension("age_sigma", (1.0, 2.0, 3.0), _AGE),
    "gender_weight": Dimension("gender_weight", (1.0, 3.0, 6.0), _BOTH),
    "frozen_epochs": Dimension("transfer.frozen_epochs", (10, 30), (names.TRANSFER,)),
    "unfrozen": Dimension("transfer.unfrozen", (0.0, 0.25, 0.5, 1.0), (names.TRANSFER,)),
    "unfrozen_learning_rate": Dimension(_UNFROZEN, Range(min=5e-5, max=1e-3), (names.TRANSFER,)),
}


def space(
    model: str,
    hyper: Hyperparameters,
    wanted: Mapping[Any, Wanted] | None = None,
    only: Collection[str] = (),
) -> dict[str, Wanted]:
    """What is searched for a model: values or a range for each dimension.

    Args:
      model: name of the trained model.
      hyper: what is checked in; among the values wherever it is not already.
      wanted: what to try instead of the values of DIMENSIONS.
      only: the dimensions to search; all that the model has if empty.

    Raises:
      ValueError: for a value that a training would refuse; it names the dimension.
    """
    found = {}
    for name, dimension in DIMENSIONS.items():
        if names.family(model) not in dimension.families or (only and name not in only):
            continue
        if dimension.path.startswith("transfer.") and not starts_trained(model, hyper):
            continue  # trained from scratch, in one phase
        found[name] = _complete(name, (wanted or {}).get(name, dimension.values), hyper)
    return found


def checked_in(hyper: Hyperparameters, dimensions: Collection[str]) -> Values:
    """The values that change nothing."""
    return {
        name: 1.0 if DIMENSIONS[name].scaled else _get(hyper.model_dump(), DIMENSIONS[name].path)
        for name in dimensions
    }


def applied(hyper: Hyperparameters, values: Mapping[str, Value]) -> Hyperparameters:
    """The hyperparameters with values laid over them; names of no dimension are passed over.

    Raises:
      ValueError: when what comes of it is refused.
    """
    told = hyper.model_dump()
    for name in values.keys() & DIMENSIONS.keys():
        dimension, value = DIMENSIONS[name], values[name]
        if dimension.scaled and value != 1.0:
            value = dimension.scaled(_get(told, dimension.path), float(value))
        elif dimension.scaled:
            continue
        _put(told, dimension.path, value)
    return Hyperparameters.model_validate(told)


def as_settings(hyper: Hyperparameters, values: Mapping[str, Value]) -> dict[str, Any]:
    """What to write in a profile, below `models.<model>`, to check a search's values in."""
    told: dict[str, Any] = {}
    found = applied(hyper, values).model_dump(mode="json")
    for name in DIMENSIONS:
        if name in values:
            _put(told, DIMENSIONS[name].path, _get(found, DIMENSIONS[name].path))
    return told


def _complete(name: str, wanted: Wanted, hyper: Hyperparameters) -> Wanted:
    """What is wanted, sound and of the right type, with what is checked in."""
    default = checked_in(hyper, [name])[name]
    if isinstance(wanted, Range):
        return _range(name, wanted, default, hyper)
    values = [_sound(name, value, hyper) for value in wanted]
    together = list(dict.fromkeys([*values, default]))
    return tuple(together if isinstance(default, str) else sorted(together))


def _range(name: str, wanted: Range, default: Value, hyper: Hyperparameters) -> Range:
    if isinstance(default, (bool, str)):
        raise ValueError(f"{name} takes a list of values, not a range")
    if wanted.min >= wanted.max:
        raise ValueError(f"{name}: min {wanted.min} is not below max {wanted.max}")
    low, high = min(wanted.min, default), max(wanted.max, default)
    if wanted.sampling == "log" and low <= 0:
        raise ValueError(f"{name} can be {low:g}: sampling must then be linear")
    if isinstance(default, int):
        low, high = int(low), int(high)
    for end in (low, high):
        _sound(name, end, hyper)
    return Range(min=low, max=high, sampling=wanted.sampling)


def _sound(name: str, value: Value, hyper: Hyperparameters) -> Value:
    """A value as the hyperparameter's own type."""
    dimension = DIMENSIONS[name]
    try:
        if dimension.scaled:
            factor = float(value)
            if factor <= 0:
                raise ValueError(f"{name} is a factor, above 0, not {value!r}")
            applied(hyper, {name: factor})
            return factor
        # Alone: another setting may forbid it here, and allow it in another trial.
        found = applied(_lenient(hyper), {name: value})
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ValueError(f"{name}: {value!r}: {problem[0].lower() + problem[1:]}") from None
    sound: Value = _get(found.model_dump(), dimension.path)
    return sound


def _lenient(hyper: Hyperparameters) -> Hyperparameters:
    """With both phases of transfer on, either of which may be switched off."""
    phases = {"frozen_epochs": 1, "unfrozen": 1.0}
    return hyper.model_copy(update={"transfer": hyper.transfer.model_copy(update=phases)})


def _get(told: Mapping[str, Any], path: str) -> Any:
    for part in path.split("."):
        told = told[part]
    return told


def _put(told: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for part in parents:
        told = told.setdefault(part, {})
    told[last] = value
