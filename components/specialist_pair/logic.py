"""What the figures and the curves of two models are as one candidate's."""

from collections.abc import Mapping
from typing import Any

from trainer.callbacks import val_score

Curves = Mapping[str, list[float]]


def join_figures(gender: Mapping[str, Any], age: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a pair, from the figures.json of its parts.

    Args:
      gender: of the model that answers gender.
      age: of the model that answers age.

    Raises:
      ValueError: when they look at pictures of different sizes.
    """
    if gender["store_size"] != age["store_size"]:
        raise ValueError(
            f"{gender['model']} looks at {gender['store_size']} pixels, "
            f"{age['model']} at {age['store_size']}"
        )
    val = {**age["val"], **gender["val"]}
    return {
        "model": "specialists",
        "answers": ["age", "gender"],
        "store_size": age["store_size"],
        "mirror": gender["mirror"] or age["mirror"],
        "val": val,
        "val_score": val_score({f"val_{name}": value for name, value in val.items()}),
        "parameters": gender["parameters"] + age["parameters"],
        "seconds": round(gender["seconds"] + age["seconds"], 1),
        "parts": {"gender": dict(gender), "age": dict(age)},
    }


def join_histories(gender: Curves, age: Curves) -> dict[str, list[float]]:
    """The curves of both, their losses and scores told apart as a multitask model's are."""
    return _renamed("gender", gender) | _renamed("age", age)


def _renamed(answer: str, curves: Curves) -> dict[str, list[float]]:
    names = {
        "loss": f"{answer}_loss",
        "val_loss": f"val_{answer}_loss",
        "val_score": f"val_{answer}_score",
    }
    return {names.get(name, name): values for name, values in curves.items()}
