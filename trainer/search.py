"""How hyperparameters are searched for: settings, free of TensorFlow."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from trainer import search_space
from trainer.hyperparameters import Hyperparameters, Strict
from trainer.names import TrainedModel


def _kind(tried: Any) -> str:
    return "range" if isinstance(tried, dict | search_space.Range) else "list"


_List = Annotated[tuple[search_space.Value, ...], Field(min_length=1)]
# By kind, so that what is wrong with one is not told as if it were meant to be the other.
Tried = Annotated[
    Annotated[search_space.Range, Tag("range")] | Annotated[_List, Tag("list")],
    Discriminator(_kind),
]


class Tuning(Strict):
    """Whether and how hyperparameters are searched for, a model at a time."""

    enabled: bool = Field(False, description="otherwise what is checked in is used")
    models: tuple[TrainedModel, ...] = Field((), description="which; all that are trained if none")
    algorithm: Literal["hyperband", "bayesian", "random"] = "bayesian"
    max_trials: int = Field(20, gt=0, description="for a model, those of earlier runs included")
    max_minutes: float = Field(120.0, gt=0, description="likewise")
    epochs: int | None = Field(
        None, gt=0, description="of a trial, at most; the model's own if none"
    )
    factor: int = Field(3, gt=1, description="Hyperband: one trial in so many goes on")
    train_share: float = Field(1.0, gt=0, le=1, description="of split train that a trial sees")
    only: tuple[search_space.DimensionName, ...] = Field(
        (), description="the dimensions to search; all that a model has if none"
    )
    space: dict[search_space.DimensionName, Tried] = Field(
        {}, description="values, or {min, max, sampling}, to try instead of the usual ones"
    )
    seed: int = Field(0, ge=0)

    def searched(self, model: str, hyper: Hyperparameters) -> dict[str, search_space.Wanted]:
        """What is searched for a model.

        Raises:
          ValueError: when that is nothing, or holds a value that a training would refuse.
        """
        found = search_space.space(model, hyper, self.space, self.only)
        if not found:
            raise ValueError(f"{model} has none of the dimensions in tuning.only")
        return found
