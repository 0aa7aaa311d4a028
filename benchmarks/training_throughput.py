"""Training throughput inside the pipeline against the same model.fit on arrays in memory.

Three ways to feed one model, in turns, in one process:
  pipeline   as the Trainer does: Transform's TFRecords, parsed, cached, shuffled, augmented
  arrays     the same pictures as arrays in memory, shuffled and augmented by the same function
  plain      the same arrays given to model.fit as they are, without any augmentation

Usage: python -m benchmarks.training_throughput WORKDIR [--profile cpu] [--rounds 5] [--pictures N]
WORKDIR is the work folder of a finished `agegender run`.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import quiet, settings

quiet.prepare_environment()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from pipeline import record  # noqa: E402
from trainer import dataset, families, fitting  # noqa: E402
from trainer.augment import augment  # noqa: E402


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--profile", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=0, help="only so many; 0 for all")
    return parser.parse_args()


def _train_files(workdir: Path) -> list[str]:
    transform = record.node(record.open_store(workdir / "metadata.db"), "Transform")
    if transform is None or not transform.succeeded:
        raise SystemExit(f"no finished Transform in {workdir}: run `agegender run` there first")
    return [str(transform.outputs["transformed_examples"].path / "Split-train" / "*.gz")]


def main() -> None:
    """Measures and prints the table."""
    arguments = _arguments()
    loaded = settings.load(arguments.profile, {}, [])
    hyper, size = loaded.training, loaded.image.store_size
    examples = dataset.load(_train_files(arguments.workdir), size)
    examples = examples.take(arguments.pictures or -1)
    count = int(examples.cardinality())
    steps = count // hyper.batch_size
    (pixels, labels) = next(iter(examples.batch(count)))
    arrays = pixels.numpy(), {name: values.numpy() for name, values in labels.items()}
    keras.utils.set_random_seed(hyper.seed)
    model = families.build("multitask_cnn", size, hyper)
    fitting.compile_model(model, hyper, steps * 100)

    batches = dataset.training_batches(examples, hyper.batch_size, hyper.augmentation, hyper.seed)
    in_memory = (
        tf.data.Dataset.from_tensor_slices(arrays)
        .shuffle(count)
        .batch(hyper.batch_size, drop_remainder=True)
    )
    randoms = tf.data.Dataset.random(seed=1).batch(2)
    augmented = (
        tf.data.Dataset.zip(in_memory, randoms)
        .map(lambda b, r: (augment(b[0], r, hyper.augmentation), b[1]), dataset.PARALLEL)
        .prefetch(dataset.PREFETCHED)
        .with_options(batches.options())
    )
    whole = steps * hyper.batch_size
    plain = arrays[0][:whole], {name: values[:whole] for name, values in arrays[1].items()}
    ways: dict[str, Callable[[], Any]] = {
        "pipeline": lambda: model.fit(batches, verbose=0),
        "arrays": lambda: model.fit(augmented, verbose=0),
        "plain": lambda: model.fit(*plain, batch_size=hyper.batch_size, verbose=0),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(arguments.rounds + 1):
        for name, fit in ways.items():
            started = time.perf_counter()
            fit()
            if turn:  # the first turn traces graphs and fills the cache
                seconds[name].append(time.perf_counter() - started)
    _print(seconds, whole)


def _print(seconds: dict[str, list[float]], pictures: int) -> None:
    table = Table(title=f"One epoch of {pictures} pictures, median of {len(seconds['plain'])}")
    for column in ("fed by", "s", "pictures/s", "pipeline's throughput as a share of it"):
        table.add_column(column, justify="right")
    for name, taken in seconds.items():
        ratios = [a / b for a, b in zip(taken, seconds["pipeline"], strict=True)]
        median = statistics.median(taken)
        table.add_row(name, f"{median:.1f}", f"{pictures / median:.0f}", f"{np.median(ratios):.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
