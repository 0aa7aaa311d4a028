"""Ingestion on Beam: pictures are decoded once, and only rows of digests and labels are shuffled.

A picture's record is staged, uncompressed, in the file of its shard and split. Beam brings the rows
of equal pixels together, decides which of them stay, and tells each shard what to leave out when
it writes its final files. A shard's files come out the same whenever and wherever they are written,
so that every step can be repeated.
"""

import collections
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.face_example_gen import curation, label_file, ledger, logic, shards
from components.face_example_gen.curation import LeftOut, Row
from components.face_example_gen.policy import Balance, Policy
from components.face_example_gen.shards import Job, Staged
from pipeline.errors import UserError
from schema import features

# So many shards are staged in one reading of the source, with a few open files each.
_SHARDS_AT_ONCE = 50
# Rows travel in lists, by the first digits of their digests: a tenth of the cost of one by one.
_KEY_DIGITS = 2
_ROWS, _STAGED, _LEFT_OUT = "rows", "staged", "left_out"


class Executor(BaseBeamExecutor):
    """Writes the examples of the faces at `data_uri`, and what became of every file."""

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
        data_uri = exec_properties["data_uri"]
        job = Job(
            data_uri=data_uri,
            last_key=logic.last_sample_key(data_uri, exec_properties["limit"]),
            shards=exec_properties["shards"],
            output_uri=examples.uri,
            policy=Policy.model_validate_json(exec_properties["policy"]),
            balance=Balance.model_validate_json(exec_properties["balance"]),
            labels=label_file.told(
                data_uri, exec_properties["labels_uri"], exec_properties["label_columns"]
            ),
        )
        with self._make_beam_pipeline() as pipeline:
            ingest(pipeline, job)
        counts, rejected = shards.outcome(job)
        shards.clean_up(job)
        if not counts.used:
            raise logic.nothing_usable(data_uri, counts.rejected)
        _describe_examples(examples)
        _write_rejects(rejects, counts, rejected)


def ingest(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds to `pipeline` the reading, the decisions, and the writing of all files."""
    found = (
        pipeline
        | "Shards" >> beam.Create(range(job.shards))
        | "Spread" >> beam.Reshuffle()
        | "Stage" >> beam.ParDo(_PerBundle(functools.partial(_stage, job))).with_outputs()
    )
    curated = (
        found[_ROWS]
        | "EqualPixels" >> beam.GroupByKey()
        | "Curate" >> beam.FlatMap(_curate, job).with_outputs()
    )
    left_out = [curated[_LEFT_OUT]]
    if job.balance.max_per_age is not None:
        capped = (
            curated[_ROWS]
            | "SameAge" >> beam.GroupByKey()
            | "Cap" >> beam.FlatMap(_cap, job.balance.max_per_age)
        )
        left_out.append(capped)
    _ = (
        {_STAGED: found[_STAGED], _LEFT_OUT: left_out | "AllLeftOut" >> beam.Flatten()}
        | "SameShard" >> beam.CoGroupByKey()
        | "Gather" >> beam.Map(_gather)
        | "Finish" >> beam.ParDo(_PerBundle(functools.partial(_finish, job)))
    )


class _PerBundle(beam.DoFn):
    """Works on all elements of a bundle at once: on one machine, that is all there are.

    `work` yields the results with their tags.
    """

    def __init__(self, work: Callable[[list[Any]], Iterable[tuple[str, Any]]]) -> None:
        self._work = work

    def start_bundle(self) -> None:
        self._elements: list[Any] = []

    def process(self, element: Any) -> None:
        self._elements.append(element)

    def finish_bundle(self) -> Iterator[Any]:
        for tag, result in self._work(self._elements) if self._elements else ():
            yield TaggedOutput(tag, GlobalWindows.windowed_value(result))


def _stage(job: Job, numbers: list[int]) -> Iterator[tuple[str, Any]]:
    for first in range(0, len(numbers), _SHARDS_AT_ONCE):
        some = frozenset(numbers[first : first + _SHARDS_AT_ONCE])
        try:
            staged, rows = shards.stage(job, some)
        except UserError as error:
            shards.give_up(job, some, error)
            continue
        for one in staged.items():
            yield _STAGED, one
        for keyed in _together(rows, lambda row: row.image_sha256[:_KEY_DIGITS]):
            yield _ROWS, keyed


def _curate(keyed: tuple[str, Iterable[list[Row]]], job: Job) -> Iterator[Any]:
    rows = itertools.chain.from_iterable(keyed[1])
    used, left_out = curation.sort_out(rows, job.policy, job.balance)
    for of_shard in _together(left_out, _shard):
        yield TaggedOutput(_LEFT_OUT, of_shard)
    if job.balance.max_per_age is not None:
        balanced = (row for row in used if row.split == curation.BALANCED_SPLIT)
        for of_age in _together(balanced, lambda row: row.labels.age):
            yield TaggedOutput(_ROWS, of_age)


def _cap(
    keyed: tuple[int, Iterable[list[Row]]], max_per_age: int
) -> Iterator[tuple[int, list[LeftOut]]]:
    rows = itertools.chain.from_iterable(keyed[1])
    yield from _together(curation.cap(rows, max_per_age).left_out, _shard)


def _gather(
    keyed: tuple[int, dict[str, Iterable[Any]]],
) -> tuple[int, list[Staged], list[LeftOut]]:
    # The values may be streams that can be read now alone.
    shard, values = keyed
    return shard, list(values[_STAGED]), list(itertools.chain.from_iterable(values[_LEFT_OUT]))


def _finish(
    job: Job, gathered: list[tuple[int, list[Staged], list[LeftOut]]]
) -> Iterable[tuple[str, Any]]:
    shards.finish(job, {shard: (staged, left_out) for shard, (staged,), left_out in gathered})
    return []


def _shard(one: LeftOut) -> int:
    return one.row.shard


def _together(items: Iterable[Any], key: Callable[[Any], Any]) -> Iterable[tuple[Any, list[Any]]]:
    lists = collections.defaultdict(list)
    for item in items:
        lists[key(item)].append(item)
    return lists.items()


def _describe_examples(examples: types.Artifact) -> None:
    examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")


def _write_rejects(
    artifact: types.Artifact, counts: ledger.Ledger, rejected: list[ledger.Reject]
) -> None:
    fileio.makedirs(artifact.uri)
    for name, text in ledger.contents(counts, rejected).items():
        with fileio.open(os.path.join(artifact.uri, name), "w") as file:
            file.write(text)
    artifact.set_int_custom_property("total", counts.found)
    artifact.set_int_custom_property("used", counts.used.total())
    artifact.set_int_custom_property("rejected", counts.rejected.total())
