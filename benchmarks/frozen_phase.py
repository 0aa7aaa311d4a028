"""Transfer's frozen phase, features computed once, against computing them anew in every epoch.

Two ways to train the same heads on the same frozen backbone, with the same data, optimiser, rates
and number of epochs, the weights of the best epoch on val kept:
  cached      as the pipeline does: the backbone runs once over every picture and once over its
              mirror image, and the heads are trained on what it gave
  recomputed  one Keras model, backbone and heads, fitted on pictures that are mirrored at random

The backbone never learns and never drops anything, so both see the same features. Which pictures
are mirrored in which epoch is chance, and not the same chance.

Usage: python -m benchmarks.frozen_phase ARCHIVE WEIGHTS [--files 1000] [--epochs 30] [--size 96]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline import quiet

quiet.prepare_environment()

import keras  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks import pictures  # noqa: E402
from benchmarks.pictures import Pictures  # noqa: E402
from trainer import dataset, families, fitting, predictors  # noqa: E402
from trainer.callbacks import ValScore  # noqa: E402
from trainer.hyperparameters import Augmentation, Hyperparameters, Transfer  # noqa: E402

SPLITS = ("train", "val", "test")
_SHORT = {"age_mae": "MAE", "gender_accuracy": "gender"}
KEYS = [(split, name) for split in ("val", "test") for name in _SHORT]
MIRROR = Augmentation(
    flip=True, rotation=0, zoom=0, shift=0, brightness=0, contrast=0, saturation=0
)


class Outcome(NamedTuple):
    """What one training took, seconds, and how its model answers, by split and figure."""

    seconds: float
    figures: dict[tuple[str, str], float]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archive", type=Path, help="pictures named as UTKFace's")
    parser.add_argument("weights", type=Path, help="of the backbone, without top")
    parser.add_argument("--model", default="transfer_mobilenet_v2")
    parser.add_argument("--files", type=int, default=1000, help="only so many; 0 for all")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--size", type=int, default=96, help="side of the pictures, pixels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    return parser.parse_args()


def main() -> None:
    """Measures and prints the table."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        pictures.ingest(arguments.archive, Path(folder), arguments.files)
        data = {split: pictures.load(Path(folder), split, arguments.size) for split in SPLITS}
    ways: dict[str, Callable[[Hyperparameters, Pictures, Pictures], keras.Model]] = {
        "cached": partial(_cached, arguments.model),
        "recomputed": partial(_recomputed, arguments.model),
    }
    outcomes: dict[str, list[Outcome]] = {name: [] for name in ways}
    for seed in arguments.seeds:
        hyper = Hyperparameters(
            transfer=Transfer(
                weights=str(arguments.weights), frozen_epochs=arguments.epochs, unfrozen=0
            ),
            augmentation=MIRROR,
            patience=arguments.epochs,  # neither way stops early
            seed=seed,
        )
        for name, way in ways.items():
            keras.utils.set_random_seed(seed)
            started = time.perf_counter()
            model = way(hyper, data["train"], data["val"])
            seconds = time.perf_counter() - started
            outcomes[name].append(Outcome(seconds, _figures(model, data)))
    _print(outcomes, {split: len(of.pixels) for split, of in data.items()}, arguments)


def _cached(name: str, hyper: Hyperparameters, train: Pictures, val: Pictures) -> keras.Model:
    size = train.pixels.shape[1]
    return fitting.fit(name, size, hyper, "float32", train.examples(), val.batches()).model


def _recomputed(name: str, hyper: Hyperparameters, train: Pictures, val: Pictures) -> keras.Model:
    model = families.build(name, train.pixels.shape[1], hyper)
    size = min(hyper.batch_size, len(train.pixels))
    epochs = hyper.transfer.frozen_epochs
    fitting.compile_model(model, hyper, len(train.pixels) // size * epochs)
    model.fit(
        dataset.training_batches(train.examples(), size, hyper.augmentation, hyper.seed),
        epochs=epochs,
        validation_data=val.batches(),
        callbacks=[
            ValScore(),
            keras.callbacks.EarlyStopping(
                ValScore.NAME, mode="min", patience=hyper.patience, restore_best_weights=True
            ),
        ],
        shuffle=False,
        verbose=0,
    )
    return model


def _figures(model: keras.Model, data: dict[str, Pictures]) -> dict[tuple[str, str], float]:
    ask = partial(predictors.raw, model)
    by_split = {split: data[split].figures(ask) for split in ("val", "test")}
    return {(split, name): by_split[split][name] for split, name in KEYS}


def _print(
    outcomes: dict[str, list[Outcome]], counts: dict[str, int], arguments: argparse.Namespace
) -> None:
    console = Console()
    faces = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    console.print(
        f"{arguments.model}, {arguments.epochs} epochs at {arguments.size} pixels; faces: {faces}; "
        f"load {os.getloadavg()[0]:.1f}; mean over {len(arguments.seeds)} seed(s)"
    )
    table = Table("way", "s", "times cached", *(f"{split} {_SHORT[name]}" for split, name in KEYS))
    cached = [one.seconds for one in outcomes["cached"]]
    for name, of_way in outcomes.items():
        ratios = [one.seconds / quick for one, quick in zip(of_way, cached, strict=True)]
        table.add_row(
            name,
            f"{statistics.mean(one.seconds for one in of_way):.1f}",
            f"{statistics.mean(ratios):.1f}",
            *(f"{statistics.mean(one.figures[key] for one in of_way):.3f}" for key in KEYS),
        )
    console.print(table)


if __name__ == "__main__":
    main()
