"""Ingestion with all its checks against a plain loop without any, on as many cores.

Three ways to make examples of one archive, in turns, in one process:
  pipeline   FaceExampleGen: names, formats and sizes checked, duplicates and contradicting labels
             found, split without leaks, rejects and ledger written
  plain      a loop that reads, decodes and writes the same records, and checks nothing; pictures
             are decoded in as many threads as there are cores
  bare       the plain loop without the digest, brightness and sharpness in its records

Usage: python -m benchmarks.ingestion ARCHIVE.tar.gz [--files N] [--rounds 5] [--shards 2]
"""

import argparse
import collections
import hashlib
import io
import itertools
import os
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pipeline import quiet

quiet.prepare_environment()

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from PIL import Image  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks import pictures  # noqa: E402
from components.face_example_gen import logic, shards  # noqa: E402
from schema import features  # noqa: E402

CORES = len(os.sched_getaffinity(0))
BATCH = 32  # files handed to a thread at once: one by one, the loop is a tenth slower

Named = tuple[str, bytes]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archive", type=Path, help="a .tar.gz of pictures named as UTKFace's")
    parser.add_argument("--files", type=int, default=0, help="only so many; 0 for all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shards", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Measures and prints the table."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        archive, count = _archive(arguments.archive, arguments.files, Path(folder))
        ways: dict[str, Callable[[Path], None]] = {
            "pipeline": partial(pictures.ingest, archive, shards=arguments.shards),
            "plain": partial(_plain, archive, arguments.shards, True),
            "bare": partial(_plain, archive, arguments.shards, False),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        for turn, (name, way) in itertools.product(range(arguments.rounds + 1), ways.items()):
            with tempfile.TemporaryDirectory(dir=folder) as output:
                started, started_cpu = time.perf_counter(), time.process_time()
                way(Path(output))
                if turn:  # the first turn imports, and fills the file cache
                    seconds[name].append(time.perf_counter() - started)
                    cpu[name].append(time.process_time() - started_cpu)
    _print(seconds, cpu, count)


def _archive(path: Path, files: int, folder: Path) -> tuple[Path, int]:
    """The archive to measure on, and the number of files in it."""
    with tarfile.open(path) as archive:
        members = [member for member in archive if member.isfile()]
        if not files:
            return path, len(members)
        some = members[:: max(1, len(members) // files)][:files]
        with tarfile.open(folder / "some.tar.gz", "w:gz") as smaller:
            for member in some:
                smaller.addfile(member, archive.extractfile(member))
    return folder / "some.tar.gz", len(some)


def _plain(archive: Path, shard_count: int, with_figures: bool, output: Path) -> None:
    records = partial(_records, _whole_record if with_figures else _bare_record)
    with ThreadPoolExecutor(CORES) as pool, ExitStack() as stack:
        writers = {
            split: itertools.cycle(
                [
                    stack.enter_context(tf.io.TFRecordWriter(str(path), shards.WRITER_OPTIONS))
                    for path in (output / f"{split}-{shard}.gz" for shard in range(shard_count))
                ]
            )
            for split in features.SPLITS
        }
        waiting: collections.deque[Future[list[Named]]] = collections.deque()
        for batch in _batches(archive):
            waiting.append(pool.submit(records, batch))
            if len(waiting) > 2 * CORES:
                _write(writers, waiting.popleft().result())
        while waiting:
            _write(writers, waiting.popleft().result())


def _batches(archive: Path) -> Iterator[list[Named]]:
    with tarfile.open(archive) as tar:
        files = ((one.name, tar.extractfile(one).read()) for one in tar if one.isfile())  # type: ignore[union-attr]
        while batch := list(itertools.islice(files, BATCH)):
            yield batch


def _write(writers: Mapping[str, Iterator[tf.io.TFRecordWriter]], records: list[Named]) -> None:
    for split, record in records:
        next(writers[split]).write(record)


def _records(record: Callable[[str, bytes], Named], batch: list[Named]) -> list[Named]:
    return [record(name, data) for name, data in batch if name.count("_") > 2]


def _whole_record(name: str, data: bytes) -> Named:
    pixels = _pixels(data)
    height, width, _ = pixels.shape
    digest = logic.pixel_sha256(pixels)
    figures = logic.measure(pixels)
    face = logic.Face(name, _labels(name), data, digest, width, height, *figures)
    return logic.split_of(digest), shards.to_example(face)


def _bare_record(name: str, data: bytes) -> Named:
    height, width, _ = _pixels(data).shape
    age, gender, race = _labels(name)
    example = tf.train.Example()
    feature = example.features.feature
    feature[features.IMAGE].bytes_list.value.append(data)
    feature[features.FILENAME].bytes_list.value.append(name.encode())
    feature[features.AGE_GROUP].bytes_list.value.append(features.age_group(age).encode())
    feature[features.AGE].int64_list.value.append(age)
    feature[features.GENDER].int64_list.value.append(gender)
    feature[features.RACE].int64_list.value.append(race)
    feature[features.WIDTH].int64_list.value.append(width)
    feature[features.HEIGHT].int64_list.value.append(height)
    return logic.split_of(hashlib.sha256(name.encode()).hexdigest()), example.SerializeToString()


def _pixels(data: bytes) -> logic.Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _labels(name: str) -> logic.Labels:
    age, gender, race, _ = name.rpartition("/")[2].split("_", 3)
    return logic.Labels(int(age), int(gender), int(race))


def _print(seconds: dict[str, list[float]], cpu: dict[str, list[float]], files: int) -> None:
    rounds = len(seconds["plain"])
    load = os.getloadavg()[0]
    table = Table(title=f"{files:,} files, {CORES} cores, load {load:.1f}, median of {rounds}")
    for column in ("way", "s", "files/s", "CPU s", "pipeline's speed", "by CPU time"):
        table.add_column(column, justify="right")
    for name, taken in seconds.items():
        median = statistics.median(taken)
        table.add_row(
            name,
            f"{median:.1f}",
            f"{files / median:,.0f}",
            f"{statistics.median(cpu[name]):.1f}",
            f"{_ratio(taken, seconds['pipeline']):.2f}",
            f"{_ratio(cpu[name], cpu['pipeline']):.2f}",
        )
    Console().print(table)


def _ratio(taken: list[float], by_pipeline: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(taken, by_pipeline, strict=True))


if __name__ == "__main__":
    main()
