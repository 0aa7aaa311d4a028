"""What earned its place in the training recipe: each row changes one thing against the base.

All rows share one split of one archive, the seeds and the number of epochs. A row that is done is
in the file of JSON lines, with all it was told; a program that was stopped goes on after it, and a
row that is told something else is trained again.

Usage: python -m benchmarks.ablations ARCHIVE --out FILE.jsonl [--profile cpu] [--epochs N]
           [--seeds 0 1] [--rows base "no age_l1"] [--files N]
"""

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pipeline import quiet, settings

quiet.prepare_environment()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from rich import box  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks import pictures  # noqa: E402
from benchmarks.pictures import Pictures  # noqa: E402
from trainer import devices, fitting, predictors  # noqa: E402
from trainer.callbacks import val_score  # noqa: E402
from trainer.fitting import Fitted  # noqa: E402
from trainer.hyperparameters import Hyperparameters  # noqa: E402
from trainer.names import TrainedModel  # noqa: E402

MODEL: TrainedModel = "multitask_cnn"
SPLITS = ("train", "val", "test")
ASKED = 100  # times one picture is asked about, for the latency
BASE = "base"
_STILL = {
    f"training.augmentation.{change}": 0
    for change in ("rotation", "zoom", "shift", "brightness", "contrast", "saturation", "erase")
}

# By name, the settings that differ from the profile's.
ROWS: dict[str, dict[str, Any]] = {
    BASE: {},
    "regression head": {"training.architecture.age_head": "regression"},
    # Alone the L1 term is a fifth of the distribution's loss: this one is as heavy.
    "regression head, age_l1 1": {
        "training.architecture.age_head": "regression",
        "training.age_l1": 1,
    },
    "no age_l1": {"training.age_l1": 0},
    "age_sigma 1": {"training.age_sigma": 1},
    "age_sigma 4": {"training.age_sigma": 4},
    "gender_weight 1": {"training.gender_weight": 1},
    "age_weights": {"training.age_weights": "sqrt_inverse"},
    "no augmentation": _STILL | {"training.augmentation.flip": False},
    "flip alone": _STILL,
    "no erase": {"training.augmentation.erase": 0},
    "no ema": {"training.ema": 0},
    "a teacher": {"training.teachers": 1},
    "no dropout": {"training.architecture.dropout": 0},
    "no weight decay": {"training.weight_decay": 0},
    "no mirror": {"training.mirror": False},
    "64 pixels": {"training.input_size": 64},
    "128 pixels": {"training.input_size": 128},
    "narrower": {"training.architecture.widths": [16, 32, 64, 128, 192]},
    "wider": {"training.architecture.widths": [32, 64, 128, 256, 384]},
    "deeper": {"training.architecture.depth": 2},
}

Told = dict[str, Any]  # everything a line's figures depend on
Line = dict[str, Any]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archive", type=Path, help="pictures named as UTKFace's")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, added to")
    parser.add_argument("--profile", default="cpu", help="of the base")
    parser.add_argument("--epochs", type=int, help="those of the profile if none")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--files", type=int, default=0, help="only so many; 0 for all")
    return parser.parse_args()


def main() -> None:
    """Trains what is not in the file yet, and prints the table."""
    arguments = _arguments()
    wanted = {
        (row, seed): _told(arguments, row, seed)
        for seed in arguments.seeds
        for row in arguments.rows
    }
    found = _read(arguments.out, wanted)
    with tempfile.TemporaryDirectory() as folder:
        if len(found) < len(wanted):
            pictures.ingest(arguments.archive, Path(folder), arguments.files)
        for together in _trained_alike(wanted):
            missing = [key for key in together if key not in found]
            if not missing:
                continue
            told = wanted[missing[0]]
            data = _load(Path(folder), told["store_size"])
            fitted, seconds = _train(_hyper(told), data)
            for key in missing:
                measured = _measure(fitted, seconds, _hyper(wanted[key]), data)
                found[key] = {"row": key[0], "told": wanted[key], **measured}
                with arguments.out.open("a") as file:
                    file.write(json.dumps(found[key]) + "\n")
    _print(found, arguments)


def _told(arguments: argparse.Namespace, row: str, seed: int) -> Told:
    changes = {"training.epochs": arguments.epochs} if arguments.epochs else {}
    loaded = settings.load(
        arguments.profile, changes | ROWS[row] | {"training.seed": seed}, assignments=[]
    )
    return {
        "archive": arguments.archive.name,
        "files": arguments.files,
        "store_size": loaded.image.store_size,
        "hyperparameters": loaded.hyperparameters(MODEL).model_dump(mode="json"),
    }


def _hyper(told: Told) -> Hyperparameters:
    return Hyperparameters.model_validate(told["hyperparameters"])


def _read(file: Path, wanted: dict[tuple[str, int], Told]) -> dict[tuple[str, int], Line]:
    """The lines that are wanted and were told the same."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return {
        key: line
        for key, told in wanted.items()
        for line in lines
        if line["row"] == key[0] and line["told"] == told
    }


def _trained_alike(wanted: dict[tuple[str, int], Told]) -> Iterable[list[tuple[str, int]]]:
    """The rows in groups that one training serves: `mirror` is about answering alone."""
    groups: dict[str, list[tuple[str, int]]] = {}
    for key, told in wanted.items():
        alike = told | {"hyperparameters": told["hyperparameters"] | {"mirror": None}}
        groups.setdefault(json.dumps(alike, sort_keys=True), []).append(key)
    return groups.values()


@lru_cache(maxsize=1)  # most rows are of one size
def _load(ingested: Path, size: int) -> dict[str, Pictures]:
    return {split: pictures.load(ingested, split, size) for split in SPLITS}


def _train(hyper: Hyperparameters, data: dict[str, Pictures]) -> tuple[Fitted, float]:
    """A trained model, and the seconds it took."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(hyper.seed)
    started = time.perf_counter()
    fitted = fitting.fit(
        MODEL,
        data["train"].pixels.shape[1],
        hyper,
        devices.policy(hyper.precision),
        data["train"].examples(),
        data["val"].batches(),
    )
    return fitted, time.perf_counter() - started


def _measure(
    fitted: Fitted, seconds: float, hyper: Hyperparameters, data: dict[str, Pictures]
) -> dict[str, Any]:
    ask = partial(predictors.raw, fitted.model, mirror=hyper.mirror)
    on_val, on_test = (_finite(data[split].figures(ask)) for split in ("val", "test"))
    epochs = len(fitted.history["loss"])
    return {
        "val": on_val,
        "test": on_test,
        "val_score": val_score({f"val_{name}": value for name, value in on_val.items()}),
        "epochs": epochs,
        "seconds_per_epoch": seconds / epochs,
        "parameters": fitted.model.count_params(),
        "latency_ms": 1000 * _latency(ask, data["test"].pixels[:1]),
        "load": os.getloadavg()[0],
    }


def _finite(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _latency(ask: Callable[[tf.Tensor], dict[str, tf.Tensor]], picture: Any) -> float:
    """Median seconds for one picture, from pixels to answers."""
    compiled = tf.function(ask)
    pixels = tf.constant(picture)
    compiled(pixels)  # traces the graph
    taken = []
    for _ in range(ASKED):
        started = time.perf_counter()
        compiled(pixels)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _print(found: dict[tuple[str, int], Line], arguments: argparse.Namespace) -> None:
    console = Console()
    some = next(iter(found.values()))
    console.print(
        f"Profile {arguments.profile}, {some['told']['hyperparameters']['epochs']} epochs, means "
        f"over {len(arguments.seeds)} seed(s). Of val and test: age MAE in years, gender accuracy. "
        f"Lower scores are better; change: of the score, against {BASE} of the same seed (± its "
        "standard error)"
    )
    table = Table("row", box=box.SIMPLE)
    for column in ("score", "change", "val", "test", "million\nweights", "s/epoch", "ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in arguments.rows:
        lines = [found[row, seed] for seed in arguments.seeds]
        table.add_row(
            row,
            f"{_mean(lines, 'val_score'):.3f}",
            _change(found, row, arguments.seeds),
            *(
                f"{_mean(lines, split, 'age_mae'):.2f} {_mean(lines, split, 'gender_accuracy'):.4f}"
                for split in ("val", "test")
            ),
            f"{lines[0]['parameters'] / 1e6:.2f}",
            f"{_mean(lines, 'seconds_per_epoch'):.1f}",
            f"{_mean(lines, 'latency_ms'):.1f}",
        )
    console.print(table)


def _mean(lines: list[Line], *path: str) -> float:
    values = []
    for line in lines:
        value: Any = line
        for name in path:
            value = value[name]
        values.append(value)
    return statistics.mean(values)


def _change(found: dict[tuple[str, int], Line], row: str, seeds: list[int]) -> str:
    """How the score differs from the base's of the same seed; "" where there is no base."""
    if row == BASE or (BASE, seeds[0]) not in found:
        return ""
    changes = [found[row, seed]["val_score"] - found[BASE, seed]["val_score"] for seed in seeds]
    error = statistics.stdev(changes) / len(changes) ** 0.5 if len(changes) > 1 else None
    return f"{statistics.mean(changes):+.3f}" + (f" ±{error:.3f}" if error is not None else "")


if __name__ == "__main__":
    main()
