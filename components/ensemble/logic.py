"""What the figures and the curves of several models are as one candidate's."""

from collections.abc import Mapping
from typing import Any

Curves = Mapping[str, list[float]]


def join_figures(members: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What is known of an ensemble before it is asked, from the figures.json of its members.

    Args:
      members: their figures by name.

    Raises:
      ValueError: when they look at pictures of different sizes.
    """
    sizes = {name: figures["store_size"] for name, figures in members.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} at {size}" for name, size in sizes.items())
        raise ValueError(f"members look at pictures of different sizes: {told} pixels")
    return {
        "model": "ensemble",
        "answers": ["age", "gender"],
        "store_size": next(iter(sizes.values())),
        # Of one that sees mirror images and one that does not, neither need: their errors differ.
        "mirror": all(figures["mirror"] for figures in members.values()),
        "parameters": sum(figures["parameters"] for figures in members.values()),
        "seconds": sum(figures["seconds"] for figures in members.values()),
        "parts": {name: dict(figures) for name, figures in members.items()},
    }


def join_histories(members: Mapping[str, Curves]) -> dict[str, list[float]]:
    """The curves of the member that was trained for the most epochs: there is one of each name."""
    longest: Curves = max(members.values(), key=lambda curves: len(curves["loss"]))
    return dict(longest)
