"""What share of a run's CPU time recording in MLflow takes: one run, its own threads' clocks.

Where `benchmarks.recording` compares whole runs, whose times differ by more than recording costs on
any machine that does something else too, this counts the CPU seconds of the calls and threads that
record, and of all that the run used, its child processes included. Not counted are threads that
TensorFlow starts on their behalf, to ask the registered model for its example's answer.

Usage: python -m benchmarks.recording_share SCRATCH [--faces 600] [--profile sample]
"""

import argparse
import resource
import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pipeline import local, settings


def main() -> None:
    """Runs once, and prints who used how much."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--faces", type=int, default=600)
    parser.add_argument("--profile", default="sample")
    arguments = parser.parse_args()
    workdir = arguments.scratch / "recorded"
    shutil.rmtree(workdir, ignore_errors=True)
    told = {"workdir": str(workdir), "data.sample_size": arguments.faces}
    chosen = settings.load(arguments.profile, told, ["candidates=[multitask]"])
    spent: dict[str, float] = defaultdict(float)
    _meter(spent)
    started = time.perf_counter()
    code = local.run(chosen)
    if code not in (0, 3):  # 3: no candidate passed, which is no matter here
        raise SystemExit(f"the run ended with {code}")
    _print(spent, _used(), time.perf_counter() - started)


def _meter(spent: dict[str, float]) -> None:
    """Has the CPU time of every call that records added up, by what it is for."""
    import tfx.orchestration.local.local_dag_runner  # noqa: F401 - which every run imports

    before = time.thread_time()
    from pipeline.tracking import courier, recorder, system

    spent["importing MLflow"] = time.thread_time() - before
    for owner, name, purpose in (
        (recorder.Recorder, "__init__", "writing the journal"),
        (recorder.Recorder, "trained", "writing the journal"),
        (recorder.Recorder, "finished", "writing the journal"),
        (recorder.Recorder, "close", "writing the journal"),
        (courier.Courier, "_run", "delivering it"),
        (system.Sampler, "_run", "looking at the machine"),
    ):
        setattr(owner, name, _metered(getattr(owner, name), spent, purpose))


def _metered(call: Callable[..., Any], spent: dict[str, float], purpose: str) -> Callable[..., Any]:
    @wraps(call)
    def metered(*args: Any, **kwargs: Any) -> Any:
        before = time.thread_time()
        try:
            return call(*args, **kwargs)
        finally:
            spent[purpose] += time.thread_time() - before

    return metered


def _used() -> float:
    """CPU seconds of this process and of its children so far."""
    found = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in found)


def _print(spent: dict[str, float], used: float, wall: float) -> None:
    table = Table(box=box.SIMPLE)
    for heading in ("", "CPU, s", "share"):
        table.add_column(heading, justify="right" if heading else "left")
    for purpose, seconds in (*spent.items(), ("recording", sum(spent.values())), ("the run", used)):
        table.add_row(purpose, f"{seconds:.2f}", f"{seconds / used:.1%}")
    Console().print(table)
    Console().print(f"The run took {wall:.0f} s.")


if __name__ == "__main__":
    main()
