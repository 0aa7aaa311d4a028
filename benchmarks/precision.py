"""Training throughput of each Keras precision on this machine, in turns, in one process.

Usage: python -m benchmarks.precision [--profile cpu] [--rounds 5]
"""

import argparse
import statistics
import time

from pipeline import quiet, settings

quiet.prepare_environment()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from schema import features  # noqa: E402
from trainer import devices, families, fitting  # noqa: E402

BATCHES = 24


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    loaded = settings.load(arguments.profile, {}, [])
    hyper, size = loaded.training, loaded.image.store_size
    count = BATCHES * hyper.batch_size
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    labels = {
        features.AGE: random.uniform(0, features.MAX_AGE, count).astype(np.float32),
        features.GENDER: random.integers(0, 2, count).astype(np.float32),
    }
    models = {}
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        models[policy] = families.build("multitask_cnn", size, hyper)
        fitting.compile_model(models[policy], hyper, BATCHES * arguments.rounds)
    keras.config.set_dtype_policy("float32")
    seconds: dict[str, list[float]] = {policy: [] for policy in models}
    for turn in range(arguments.rounds + 1):
        for policy, model in models.items():
            started = time.perf_counter()
            model.fit(pixels, labels, batch_size=hyper.batch_size, verbose=0)
            if turn:  # the first turn traces graphs
                seconds[policy].append(time.perf_counter() - started)
    table = Table(title=f"auto chooses {devices.policy('auto')} here")
    for column in ("precision", "pictures/s", "against float32"):
        table.add_column(column, justify="right")
    for policy, taken in seconds.items():
        ratios = [a / b for a, b in zip(seconds["float32"], taken, strict=True)]
        speed = count / statistics.median(taken)
        table.add_row(policy, f"{speed:.0f}", f"{statistics.median(ratios):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
