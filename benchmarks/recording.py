"""What recording in MLflow costs a run: the same run with and without it, in turns.

Each turn is a whole `agegender run` on drawn faces in a fresh work folder, so that MLflow's
database is made anew in each. The seconds it costs hardly depend on how long a run takes.

Usage: python -m benchmarks.recording SCRATCH [--rounds 3] [--faces 600] [--profile sample]
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

WAYS = {"recorded": "true", "not recorded": "false"}


class Cost(NamedTuple):
    """Of one run: seconds on the clock, and of CPU time on all cores."""

    wall: float
    cpu: float


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--faces", type=int, default=600)
    parser.add_argument("--profile", default="sample")
    arguments = parser.parse_args()
    costs: dict[str, list[Cost]] = {way: [] for way in WAYS}
    for _ in range(arguments.rounds):
        for way in WAYS:
            costs[way].append(_run(arguments, way))
    _print(costs)


def _run(arguments: argparse.Namespace, way: str) -> Cost:
    workdir = arguments.scratch / way.replace(" ", "-")
    shutil.rmtree(workdir, ignore_errors=True)
    command = [
        *(sys.executable, "-m", "pipeline", "run", "--profile", arguments.profile),
        *("--workdir", str(workdir), "--set", f"data.sample_size={arguments.faces}"),
        *("--set", f"tracking.enabled={WAYS[way]}", "--set", "candidates=[multitask]"),
    ]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3):  # 3: no candidate passed, which is no matter here
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - started, used)


def _print(costs: dict[str, list[Cost]]) -> None:
    table = Table(box=box.SIMPLE)
    for heading in ("", "wall, s", "CPU, s"):
        table.add_column(heading, justify="right" if heading else "left")
    medians = {
        way: Cost(*(statistics.median(values) for values in zip(*found, strict=True)))
        for way, found in costs.items()
    }
    for way, cost in medians.items():
        table.add_row(way, f"{cost.wall:.1f}", f"{cost.cpu:.1f}")
    recorded, plain = medians.values()
    table.add_row("costs", f"{recorded.wall - plain.wall:+.1f}", f"{recorded.cpu - plain.cpu:+.1f}")
    Console().print(table)
    pairs = list(zip(*costs.values(), strict=True))
    Console().print(
        f"Medians of {len(pairs)} rounds. Recorded against not recorded, round by round:"
    )
    for name in Cost._fields:
        ratios = sorted(getattr(one, name) / getattr(other, name) for one, other in pairs)
        told = f"median {statistics.median(ratios) - 1:+.1%}"
        Console().print(f"{name}: {told}, from {ratios[0] - 1:+.1%} to {ratios[-1] - 1:+.1%}")


if __name__ == "__main__":
    main()
