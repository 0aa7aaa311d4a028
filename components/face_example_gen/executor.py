"""Ingestion on Beam: each shard streams the source itself and writes its own files.

Pictures never travel between stages (the in-memory runner would keep them all), and a shard's
files come out the same whenever and wherever it is written, so that it can be repeated.
"""

import collections
import json
import os
import uuid
from contextlib import ExitStack
from typing import Any, NamedTuple

import apache_beam as beam
import tensorflow as tf
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.face_example_gen import logic
from components.face_example_gen.rejects import Reject
from pipeline.errors import UserError
from schema import features

REJECTS_FILE = "rejects.jsonl"
# Beside the splits' folders: whoever reads a split must find nothing in it but whole files.
_UNFINISHED = ".unfinished"
# More effort makes the JPEGs no smaller.
_WRITER_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


class Executor(BaseBeamExecutor):
    """Writes the examples of the faces at `data_uri`, and the list of its rejects."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See `FaceExampleGen` for the properties and the artifacts.

        Raises:
            UserError: the source cannot be read to its end, or none of its files can be used.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        rejects = artifact_utils.get_single_instance(output_dict["rejects"])
        data_uri, shards = exec_properties["data_uri"], exec_properties["shards"]
        last_key = logic.last_sample_key(data_uri, exec_properties["limit"])
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | beam.Create(range(shards))
                | beam.Reshuffle()
                | beam.ParDo(_WriteShard(_Job(data_uri, last_key, shards, examples.uri)))
            )
        reports = [_read_report(examples.uri, shard) for shard in range(shards)]
        fileio.rmtree(os.path.join(examples.uri, _UNFINISHED))
        _finish(examples, rejects, reports, data_uri)


class _Job(NamedTuple):
    data_uri: str
    last_key: tuple[str, str]
    shards: int
    output_uri: str


class _WriteShard(beam.DoFn):
    def __init__(self, job: _Job) -> None:
        self._job = job

    def process(self, shard: int) -> list[None]:
        try:
            report = write_shard(self._job, shard)
        except UserError as error:
            # Beam would retry it, and hand on its text with a stack trace around it.
            report = {"error": str(error)}
        _write_report(self._job.output_uri, shard, report)
        return []


def write_shard(job: _Job, shard: int) -> dict[str, Any]:
    """Writes the shard's file of every split; returns its `counts` by split and its `rejects`.

    A shard is the files whose name's hash falls to it, in the source's order.
    """

    def wanted(file: str) -> bool:
        key = logic.sample_key(file)
        return key <= job.last_key and int(key[0], 16) % job.shards == shard

    counts: collections.Counter[str] = collections.Counter()
    rejects: list[Reject] = []
    attempt = os.path.join(job.output_uri, _UNFINISHED, uuid.uuid4().hex)
    fileio.makedirs(attempt)
    unfinished = {split: os.path.join(attempt, split) for split in features.SPLITS}
    with ExitStack() as stack:
        writers = {
            split: stack.enter_context(tf.io.TFRecordWriter(path, _WRITER_OPTIONS))
            for split, path in unfinished.items()
        }
        for face in logic.examine_source(job.data_uri, wanted):
            if isinstance(face, Reject):
                rejects.append(face)
                continue
            split = logic.split_of(face.image_sha256)
            writers[split].write(to_example(face))
            counts[split] += 1
    for split, path in unfinished.items():
        folder = os.path.join(job.output_uri, f"Split-{split}")
        fileio.makedirs(folder)
        name = f"data_tfrecord-{shard:05d}-of-{job.shards:05d}.gz"
        fileio.rename(path, os.path.join(folder, name), overwrite=True)
    return {"counts": counts, "rejects": rejects}


def to_example(face: logic.Face) -> bytes:
    """The face as a serialized tf.train.Example with every raw feature of `schema.features`."""
    age, gender, race = face.labels
    text = {
        features.IMAGE: face.jpeg,
        features.AGE_GROUP: features.age_group(age).encode(),
        features.IMAGE_SHA256: face.image_sha256.encode(),
        features.FILENAME: face.file.encode(),
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


def _report_path(output_uri: str, shard: int) -> str:
    return os.path.join(output_uri, _UNFINISHED, f"shard-{shard:05d}.json")


def _write_report(output_uri: str, shard: int, report: dict[str, Any]) -> None:
    path = _report_path(output_uri, shard)
    fileio.makedirs(os.path.dirname(path))
    unfinished = f"{path}.{uuid.uuid4().hex}"
    with fileio.open(unfinished, "w") as file:
        json.dump(report, file)
    fileio.rename(unfinished, path, overwrite=True)


def _read_report(output_uri: str, shard: int) -> dict[str, Any]:
    with fileio.open(_report_path(output_uri, shard)) as file:
        report = json.load(file)
    if "error" in report:
        raise UserError(report["error"])
    return report


def _finish(
    examples: types.Artifact,
    rejects: types.Artifact,
    reports: list[dict[str, Any]],
    data_uri: str,
) -> None:
    """Writes the rejects of all shards, and what the artifacts say of themselves."""
    counts = collections.Counter[str]()
    for report in reports:
        counts.update(report["counts"])
    rejected = sorted(Reject(*fields) for report in reports for fields in report["rejects"])
    if not counts:
        raise logic.nothing_usable(data_uri, collections.Counter(r.reason for r in rejected))

    fileio.makedirs(rejects.uri)
    with fileio.open(os.path.join(rejects.uri, REJECTS_FILE), "w") as file:
        file.write("".join(json.dumps(reject._asdict()) + "\n" for reject in rejected))
    rejects.set_int_custom_property("total", counts.total() + len(rejected))
    rejects.set_int_custom_property("used", counts.total())
    rejects.set_int_custom_property("rejected", len(rejected))

    examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
