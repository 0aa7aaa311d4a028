"""How the model was trained, and how to do it again."""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from components.model_card.blocks import Block, Code, Section, Terms, Text
from components.model_card.known import Known
from components.model_card.sections.pictures import pictures
from components.selector.tables import NONE, Table
from trainer import names

# Settings that say nothing of a model without a backbone, and of one with it.
_UNUSED = {
    False: ("transfer.",),
    True: ("architecture.widths", "architecture.depth", "architecture.kernel_size"),
}


def training(known: Known) -> Section:
    """Facts and hyperparameters of each training, side by side."""
    blocks: list[Block] = []
    for name, figures in known.trainings.items():
        if len(known.trainings) > 1:
            blocks.append(Text(f"{name}:"))
        blocks.append(Terms(_facts(figures)))
    blocks += [_hyperparameters(known), pictures(known, "curves")]
    return Section("Training", blocks)


def _facts(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    hyper = figures["hyperparameters"]
    origin = str(figures.get("hyperparameters_from", ""))
    if origin == "checked in":
        origin = "the profile and what the command below sets"
    epochs = str(figures["epochs"])
    if frozen := figures.get("frozen_epochs"):
        epochs += f", {frozen} of them of the heads alone"
    return [
        ("Seed", str(hyper["seed"])),
        ("Epochs", epochs),
        ("Time", f"{figures['seconds']:,.0f} seconds"),
        ("Precision", str(figures.get("precision", "not known"))),
        ("Hyperparameters from", origin or "not known"),
    ]


def _hyperparameters(known: Known) -> Table:
    columns = {
        name: {
            key: value
            for key, value in _flat(one["hyperparameters"])
            if not key.startswith(_UNUSED[bool(names.backbone(name))])
        }
        for name, one in known.trainings.items()
    }
    keys = dict.fromkeys(key for column in columns.values() for key in column)
    rows = [(key, *(column.get(key, NONE) for column in columns.values())) for key in keys]
    return Table("Hyperparameters", ("setting", *columns), rows)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every setting by its dotted name; of a file the name alone, for paths tell of machines."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif isinstance(value, str):
            yield f"{above}{key}", PurePath(value).name
        else:
            yield f"{above}{key}", json.dumps(value)


def again(known: Known) -> Section:
    """The commands, and what they need."""
    commit = known.about.commit
    said = f"The code of this run is commit {commit}." if commit else "Its commit is not known."
    if commit.endswith("-dirty"):
        said = (
            f"The code of this run is commit {commit.removesuffix('-dirty')} with changes that "
            "were not committed."
        )
    given = "The faces are drawn anew, the same ones."
    if not known.is_drawn:
        given = f"It needs the same data: {known.about.source}, under any path."
    return Section(
        "How to make it again",
        [
            Code(known.about.command),
            Text(
                f"{said} {given} All that is random is seeded; another processor may round "
                "differently, and its figures differ a little."
            ),
        ],
    )
