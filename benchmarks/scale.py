"""How memory and time grow with the number of pictures: python -m benchmarks.scale SCRATCH.

Runs the whole pipeline on drawn faces, altered until there are enough of them, no two alike. They
are 200 x 200 pixels, as UTKFace's, and stored as 64 x 64; the model is small and trained for one
epoch, since it does not grow with the data.
"""

import argparse
import io
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from ml_metadata.proto import metadata_store_pb2 as mlmd
from PIL import Image
from rich.console import Console
from rich.table import Table

from pipeline import record
from pipeline.sample import write_sample

DRAWN = 1500
SETTINGS = (
    "candidates=[multitask]",
    "image.store_size=64",
    "training.input_size=null",
    "training.epochs=1",
    "training.architecture.widths=[8,16]",
    "training.mirror=false",
    "thresholds.max_age_mae=116",
    "thresholds.min_gender_accuracy=0.01",
    "thresholds.min_auc=null",
    "slices.min_size=1000000000",
    # The drawn faces are what they are; what is measured here is not their balance.
    "selection.tolerance=1000",
)
INTERVAL = 0.2  # seconds between two looks at the memory


def altered(job: tuple[str, int]) -> list[tuple[str, bytes]]:
    """`count` variants of a picture, each moved, lit and noised at random: names and JPEGs."""
    path, count = job
    name = Path(path).name
    random = np.random.default_rng(int.from_bytes(name.encode(), "little") % 2**63)
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32)
    variants = []
    for i in range(count):
        moved = np.roll(pixels, random.integers(-6, 7, 2), axis=(0, 1))
        changed = moved * random.uniform(0.85, 1.15) + random.normal(0, 4, pixels.shape)
        jpeg = io.BytesIO()
        Image.fromarray(changed.clip(0, 255).astype(np.uint8)).save(jpeg, "JPEG", quality=85)
        labels, _, rest = name.rpartition("_")
        variants.append((f"{labels}_{i:06d}{rest}", jpeg.getvalue()))
    return variants


def write_pictures(archive: Path, count: int) -> None:
    """A tar of `count` pictures, all different; kept for the next call."""
    if archive.exists():
        return
    drawn = write_sample(archive.parent / "drawn", DRAWN, 0)
    jobs = [(str(p), count // DRAWN + (i < count % DRAWN)) for i, p in enumerate(drawn)]
    unfinished = archive.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as tar, ProcessPoolExecutor() as pool:
        for variants in pool.map(altered, jobs, chunksize=4):
            for name, jpeg in variants:
                info = tarfile.TarInfo(name)
                info.size = len(jpeg)
                tar.addfile(info, io.BytesIO(jpeg))
    unfinished.rename(archive)


def measure(archive: Path, workdir: Path) -> list[tuple[float, float]]:
    """Runs the pipeline; returns (time in seconds since the epoch, resident MB) all along."""
    assignments = [part for setting in SETTINGS for part in ("--set", setting)]
    command = [
        *(sys.executable, "-m", "pipeline", "run", "--profile", "cpu", "--data", str(archive)),
        *("--workdir", str(workdir), *assignments),
        *("--accept-data", "--reason", "what is measured is not the data"),
    ]
    running = psutil.Popen(command, stdout=subprocess.DEVNULL)
    looks = []
    while running.poll() is None:
        try:
            looks.append((time.time(), running.memory_info().rss / 1e6))
        except psutil.Error:  # it has just ended
            break
        time.sleep(INTERVAL)
    if running.wait():
        sys.exit(f"the run failed: see {workdir / 'logs'}")
    return looks


def node_peaks(
    workdir: Path, looks: list[tuple[float, float]]
) -> Iterator[tuple[str, float, float]]:
    """Every node's name, seconds and peak resident MB."""
    store = record.open_store(workdir / "metadata.db")
    for execution in sorted(store.get_executions(), key=lambda one: one.id):
        assert execution.last_known_state == mlmd.Execution.COMPLETE
        start = execution.create_time_since_epoch / 1000
        end = execution.last_update_time_since_epoch / 1000
        contexts = store.get_contexts_by_execution(execution.id)
        name = next(
            c.name.partition(".")[2] for c in contexts if "." in c.name and c.name[0] == "a"
        )
        inside = [mb for at, mb in looks if start <= at <= end]
        yield name, end - start, max(inside, default=float("nan"))


def main() -> None:
    """Measures a small and a large archive and prints both, node by node."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scratch", type=Path, help="10 KB of disk a picture, twice")
    parser.add_argument("--pictures", type=int, nargs="+", default=[19_000, 250_000])
    args = parser.parse_args()
    args.scratch.mkdir(parents=True, exist_ok=True)
    peaks: dict[int, float] = {}
    for count in args.pictures:
        archive = args.scratch / f"{count}.tar"
        write_pictures(archive, count)
        workdir = args.scratch / f"work-{count}-{int(time.time())}"
        looks = measure(archive, workdir)
        peaks[count] = max(mb for _, mb in looks)
        table = Table("node", "seconds", "peak MB", title=f"{count:,} pictures")
        for name, seconds, mb in node_peaks(workdir, looks):
            table.add_row(name, f"{seconds:.1f}", f"{mb:,.0f}")
        table.add_row("whole run", f"{looks[-1][0] - looks[0][0]:.1f}", f"{peaks[count]:,.0f}")
        Console().print(table)
    few, many = min(peaks), max(peaks)
    if few < many:
        growth = (peaks[many] - peaks[few]) / (many - few) * 1000
        print(f"{growth:.1f} MB per 1,000 pictures between {few:,} and {many:,}")


if __name__ == "__main__":
    main()
