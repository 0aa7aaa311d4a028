"""The files of the shards: staged while nobody knows yet what stays, then final.

A shard is the files whose name's hash falls to it, in the source's order. All that is written
follows from the source alone, so that any of it can be written again.
"""

import itertools
import json
import os
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import tensorflow as tf
from tfx.dsl.io import fileio

from components.face_example_gen import curation, label_file, ledger, logic
from components.face_example_gen.curation import LeftOut, Row
from components.face_example_gen.label_file import LabelFile
from components.face_example_gen.ledger import Cell, Ledger
from components.face_example_gen.policy import Balance, Policy
from components.face_example_gen.rejects import Reject
from pipeline.errors import UserError
from schema import features

# Beside the splits' folders: whoever reads a split must find nothing in it but whole files.
_UNFINISHED = ".unfinished"
# More effort makes the JPEGs no smaller.
WRITER_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
_RECORDS_AT_ONCE = 64
_ERROR = "error"


class Job(NamedTuple):
    """What every worker is told."""

    data_uri: str
    last_key: tuple[str, str]
    shards: int
    output_uri: str
    policy: Policy
    balance: Balance
    labels: LabelFile | None = None  # in names when None


class Staged(NamedTuple):
    """A shard as it was read: `folder` holds a file of records per split."""

    folder: str
    usable: Counter[Cell]
    unusable: list[Reject]


def stage(job: Job, shards: Collection[int]) -> tuple[dict[int, Staged], list[Row]]:
    """Reads the source once and stages the usable faces of `shards`.

    Returns:
        What was staged, by shard, and where to find each face.

    Raises:
        UserError: the source cannot be read to its end, or holds no file; its labels cannot.
    """
    table = label_file.read(job.labels) if job.labels else None

    def wanted(file: str) -> bool:
        key = logic.sample_key(file)
        return key <= job.last_key and _shard_of(key, job) in shards

    folder = _new_folder(job)
    staged = {shard: Staged(folder, Counter(), []) for shard in shards}
    rows: list[Row] = []
    with ExitStack() as stack:
        writers = {
            file: stack.enter_context(tf.io.TFRecordWriter(_path(folder, *file)))
            for file in itertools.product(shards, features.SPLITS)
        }
        written = Counter[tuple[int, str]]()
        for face in logic.examine_source(job.data_uri, wanted, job.policy, table):
            shard = _shard_of(logic.sample_key(face.file), job)
            if isinstance(face, Reject):
                staged[shard].unusable.append(face)
                continue
            split = logic.split_of(face.image_sha256)
            file = shard, split
            writers[file].write(to_example(face))
            rows.append(Row(face.file, face.image_sha256, face.labels, shard, written[file]))
            written[file] += 1
            staged[shard].usable[Cell(split, *face.labels)] += 1
    return staged, rows


def finish(job: Job, shards: dict[int, tuple[Staged, list[LeftOut]]]) -> None:
    """Writes the final files of `shards`, without what is left out, and their reports."""
    folder = _new_folder(job)

    def write(shard: int, split: str) -> None:
        staged, left_out = shards[shard]
        unfinished = os.path.join(folder, f"{shard}-{split}")
        without = {one.row.position for one in left_out if one.row.split == split}
        _copy(_path(staged.folder, shard, split), unfinished, without)
        final = os.path.join(job.output_uri, f"Split-{split}")
        fileio.makedirs(final)
        name = f"data_tfrecord-{shard:05d}-of-{job.shards:05d}.gz"
        fileio.rename(unfinished, os.path.join(final, name), overwrite=True)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        done = [pool.submit(write, *file) for file in itertools.product(shards, features.SPLITS)]
    for one in done:
        one.result()
    for shard, (staged, left_out) in shards.items():
        outcome = curation.account(staged.usable, left_out, staged.unusable)
        _write_report(job, shard, ledger.contents(*outcome))


def give_up(job: Job, shards: Iterable[int], error: UserError) -> None:
    """Writes reports that say why the files of `shards` cannot be written.

    Beam would retry an exception, and hand on its text with a stack trace around it.
    """
    for shard in shards:
        _write_report(job, shard, {_ERROR: str(error)})


def outcome(job: Job) -> tuple[Ledger, list[Reject]]:
    """What became of every file, from the reports of all shards.

    Raises:
        UserError: what `give_up` was given.
    """
    counts, rejects = Ledger(), list[Reject]()
    for shard in range(job.shards):
        with fileio.open(_report_path(job, shard)) as file:
            report = json.load(file)
        if _ERROR in report:
            raise UserError(report[_ERROR])
        counts += ledger.parse(report[ledger.LEDGER_FILE])
        rejects += ledger.parse_rejects(report[ledger.REJECTS_FILE])
    return counts, rejects


def clean_up(job: Job) -> None:
    """Removes everything unfinished."""
    fileio.rmtree(os.path.join(job.output_uri, _UNFINISHED))


def to_example(face: logic.Face) -> bytes:
    """The face as a serialized tf.train.Example with every raw feature of `schema.features`."""
    age, gender, race = face.labels
    text = {
        features.IMAGE: face.jpeg,
        features.AGE_GROUP: features.age_group(age).encode(),
        features.IMAGE_SHA256: face.image_sha256.encode(),
        features.FILENAME: face.file.encode(),
        features.BRIGHTNESS_LEVEL: features.brightness_level(face.brightness).encode(),
        features.SHARPNESS_LEVEL: features.sharpness_level(face.sharpness).encode(),
    }
    whole = {
        features.AGE: age,
        features.GENDER: gender,
        features.RACE: race,
        features.WIDTH: face.width,
        features.HEIGHT: face.height,
    }
    real = {features.BRIGHTNESS: face.brightness, features.SHARPNESS: face.sharpness}
    example = tf.train.Example()
    feature = example.features.feature
    for name, data in text.items():
        feature[name].bytes_list.value.append(data)
    for name, count in whole.items():
        feature[name].int64_list.value.append(count)
    for name, figure in real.items():
        feature[name].float_list.value.append(figure)
    return example.SerializeToString(deterministic=True)


def _shard_of(key: tuple[str, str], job: Job) -> int:
    return int(key[0], 16) % job.shards


def _new_folder(job: Job) -> str:
    folder = os.path.join(job.output_uri, _UNFINISHED, uuid.uuid4().hex)
    fileio.makedirs(folder)
    return folder


def _path(folder: str, shard: int, split: str) -> str:
    return os.path.join(folder, f"{shard:05d}-{split}")


def _copy(staged: str, final: str, without: Set[int]) -> None:
    """Compresses the records but those at the positions `without`."""
    batches = tf.data.TFRecordDataset(staged).batch(_RECORDS_AT_ONCE).as_numpy_iterator()
    records = enumerate(itertools.chain.from_iterable(batches))
    with tf.io.TFRecordWriter(final, WRITER_OPTIONS) as writer:
        for position, record in records:
            if position not in without:
                writer.write(record)


def _report_path(job: Job, shard: int) -> str:
    return os.path.join(job.output_uri, _UNFINISHED, f"shard-{shard:05d}.json")


def _write_report(job: Job, shard: int, report: dict[str, str]) -> None:
    path = _report_path(job, shard)
    unfinished = os.path.join(_new_folder(job), "report.json")
    with fileio.open(unfinished, "w") as file:
        json.dump(report, file)
    fileio.rename(unfinished, path, overwrite=True)
