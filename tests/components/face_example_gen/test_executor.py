import collections
import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.components import StatisticsGen
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components import FaceExampleGen, Rejects
from components.face_example_gen import curation, executor, ledger, logic, shards
from components.face_example_gen.curation import Row
from components.face_example_gen.logic import (
    decode,
    last_sample_key,
    parse_name,
    pixel_sha256,
    split_of,
)
from components.face_example_gen.policy import DEFAULT_BALANCE, DEFAULT_POLICY, Balance, Policy
from components.face_example_gen.rejects import BY_CHOICE, Reason, Reject
from pipeline.errors import UserError
from pipeline.inspect_data import inspect
from schema import features

from .conftest import WRITERS, Files, drawing, encoded, write_folder, write_tar

BEAM = ["--runner=FnApiRunner", "--direct_running_mode=in_memory"]
PORTABLE = [
    "--runner=PortableRunner",
    "--job_endpoint=embed",
    "--environment_type=LOOPBACK",
    "--sdk_container_image=none",
]


def ingest(
    uri: Path,
    out: Path,
    limit: int = 0,
    shards: int = 3,
    policy: Policy = DEFAULT_POLICY,
    balance: Balance = DEFAULT_BALANCE,
    beam_args: list[str] = BEAM,
    labels: Path | None = None,
) -> tuple[Artifact, Artifact]:
    examples, rejects = standard_artifacts.Examples(), Rejects()
    examples.uri, rejects.uri = str(out / "examples"), str(out / "rejects")
    context = executor.Executor.Context(beam_pipeline_args=beam_args, tmp_dir=str(out / "tmp"))
    properties = {
        "data_uri": str(uri),
        "limit": limit,
        "shards": shards,
        "policy": policy.model_dump_json(),
        "balance": balance.model_dump_json(),
        "labels_uri": str(labels or ""),
        "label_columns": "{}",
    }
    executor.Executor(context).Do({}, {"examples": [examples], "rejects": [rejects]}, properties)
    return examples, rejects


def files_below(folder: str | Path) -> dict[str, bytes]:
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def examples_of(examples: Artifact, split: str) -> list[tf.train.Example]:
    paths = sorted(map(str, Path(examples.uri).glob(f"Split-{split}/*")))
    records = tf.data.TFRecordDataset(paths, compression_type="GZIP")
    return [tf.train.Example.FromString(record.numpy()) for record in records]


def value(example: tf.train.Example, name: str) -> object:
    feature = example.features.feature[name]
    (only,) = getattr(feature, feature.WhichOneof("kind")).value
    return only


@pytest.fixture(scope="module")
def everything(faces: Files, rejected: dict[str, tuple[bytes, str]]) -> Files:
    return faces | {name: data for name, (data, _) in rejected.items()}


@pytest.fixture(scope="module")
def ingested(
    everything: Files, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Artifact, Artifact]:
    tmp_path = tmp_path_factory.mktemp("ingested")
    return ingest(write_tar(tmp_path / "faces.tar.gz", everything), tmp_path / "out")


def test_every_usable_picture_is_an_example_with_all_its_features(
    ingested: tuple[Artifact, Artifact], faces: Files
) -> None:
    found = {}
    for split in features.SPLITS:
        for example in examples_of(ingested[0], split):
            file = value(example, features.FILENAME).decode()  # type: ignore[attr-defined]
            found[file] = example
            picture = decode(faces[file])
            height, width, _ = picture.pixels.shape
            digest = pixel_sha256(picture.pixels)
            age, gender, race = parse_name(file)
            expected = {
                features.IMAGE: picture.jpeg,
                features.AGE: age,
                features.GENDER: gender,
                features.RACE: race,
                features.AGE_GROUP: features.age_group(age).encode(),
                features.IMAGE_SHA256: digest.encode(),
                features.FILENAME: file.encode(),
                features.WIDTH: width,
                features.HEIGHT: height,
            }
            measured = {features.BRIGHTNESS, features.SHARPNESS}
            expected[features.BRIGHTNESS_LEVEL] = features.brightness_level(
                value(example, features.BRIGHTNESS)  # type: ignore[arg-type]
            ).encode()
            expected[features.SHARPNESS_LEVEL] = features.sharpness_level(
                value(example, features.SHARPNESS)  # type: ignore[arg-type]
            ).encode()
            assert set(example.features.feature) == set(expected) | measured
            assert {name: value(example, name) for name in expected} == expected
            assert 0 < value(example, features.BRIGHTNESS) < 1  # type: ignore[operator]
            assert split_of(digest) == split
    assert set(found) == set(faces)


def test_every_reject_is_listed_with_its_reason(
    ingested: tuple[Artifact, Artifact],
    faces: Files,
    rejected: dict[str, tuple[bytes, str]],
) -> None:
    _, rejects = ingested
    lines = (Path(rejects.uri) / "rejects.jsonl").read_text().splitlines()
    listed = [json.loads(line) for line in lines]

    assert [one["file"] for one in listed] == sorted(rejected)
    assert all(set(one) == {"file", "reason", "detail", "image_sha256"} for one in listed)
    assert {one["file"]: one["reason"] for one in listed} == {
        file: reason for file, (_, reason) in rejected.items()
    }
    assert rejects.get_int_custom_property("total") == len(faces) + len(rejected)
    assert rejects.get_int_custom_property("used") == len(faces)
    assert rejects.get_int_custom_property("rejected") == len(rejected)


def test_a_split_holds_all_its_shards_and_nothing_else(
    ingested: tuple[Artifact, Artifact],
) -> None:
    examples, _ = ingested

    assert sorted(files_below(examples.uri)) == sorted(
        f"Split-{split}/data_tfrecord-{shard:05d}-of-00003.gz"
        for split in features.SPLITS
        for shard in range(3)
    )
    assert json.loads(examples.split_names) == list(features.SPLITS)
    assert examples.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
    assert [path.name for path in Path(examples.uri).iterdir() if path.name.startswith(".")] == []


def test_the_same_input_gives_the_same_bytes(
    ingested: tuple[Artifact, Artifact], everything: Files, tmp_path: Path
) -> None:
    again = ingest(write_tar(tmp_path / "faces.tar.gz", everything), tmp_path / "out")

    for first, second in zip(ingested, again, strict=True):
        assert files_below(first.uri) == files_below(second.uri)


def test_a_limit_uses_so_many_files_of_a_folder(faces: Files, tmp_path: Path) -> None:
    uri = write_folder(tmp_path / "faces", faces)

    examples, rejects = ingest(uri, tmp_path / "out", limit=7, shards=1)

    assert rejects.get_int_custom_property("total") == 7
    assert sum(len(examples_of(examples, split)) for split in features.SPLITS) == 7


@pytest.fixture(scope="module")
def with_copies(everything: Files) -> Files:
    """Everything, two copies of a picture, one that contradicts, and six of one age."""
    first, second = everything["30_0_1_png.png"], everything["31_1_2_webp.webp"]
    return everything | {
        "30_0_1_png_copy.png": first,
        "a/32_0_1_copy.png": first,
        "31_0_2_webp.webp": second,
        **{f"40_0_0_{i}.jpg": encoded(drawing(310 + i)) for i in range(6)},
    }


CHOICE = Balance(age_max=99, max_per_age=1, fractions={"0-30": 0.5})


def test_what_is_decided_is_what_is_written(with_copies: Files, tmp_path: Path) -> None:
    uri = write_tar(tmp_path / "faces.tar.gz", with_copies)
    examples, artifact = ingest(uri, tmp_path / "out", balance=CHOICE)

    found = [logic.examine(file, data) for file, data in with_copies.items()]
    faces = [face for face in found if isinstance(face, logic.Face)]
    rows = [Row(face.file, face.image_sha256, face.labels) for face in faces]
    expected = curation.curate(rows, DEFAULT_POLICY, CHOICE)
    written = {
        split: {value(example, features.FILENAME) for example in examples_of(examples, split)}
        for split in features.SPLITS
    }
    assert written == {
        split: {row.file.encode() for row in expected.used if row.split == split}
        for split in features.SPLITS
    }
    counts, rejects = curation.account(
        collections.Counter(map(curation.cell_of, rows)),
        expected.left_out,
        [one for one in found if isinstance(one, Reject)],
    )
    assert set(counts.rejected) > BY_CHOICE | {Reason.DUPLICATE, Reason.LABEL_CONFLICT}
    folder = Path(artifact.uri)
    assert ledger.parse_rejects((folder / ledger.REJECTS_FILE).read_text()) == sorted(rejects)
    assert ledger.parse((folder / ledger.LEDGER_FILE).read_text()) == counts
    assert artifact.get_int_custom_property("used") == len(expected.used)
    assert artifact.get_int_custom_property("total") == len(with_copies)


def test_a_policy_can_keep_copies_and_refuse_small_pictures(
    with_copies: Files, tmp_path: Path
) -> None:
    large = encoded(drawing(300, 64, 64))
    uri = write_folder(tmp_path / "faces", with_copies | {"1_0_0.jpg": large, "9_1_0.jpg": large})
    policy = Policy(duplicates="keep", label_conflicts="keep", min_side=41)

    examples, _ = ingest(uri, tmp_path / "out", policy=policy)

    files = [
        value(example, features.FILENAME)
        for split in features.SPLITS
        for example in examples_of(examples, split)
    ]
    assert sorted(files) == [b"1_0_0.jpg", b"9_1_0.jpg"]


def test_every_step_of_a_shard_can_be_repeated(everything: Files, tmp_path: Path) -> None:
    uri = str(WRITERS["zip"](tmp_path, everything))
    out = tmp_path / "out"
    job = shards.Job(uri, last_sample_key(uri, 0), 2, str(out), DEFAULT_POLICY, DEFAULT_BALANCE)
    outcomes = []
    for staged in (shards.stage(job, {1}), shards.stage(job, {0, 1})):
        by_shard, rows = staged
        assert all(row.shard in by_shard for row in rows)
        for _ in range(2):
            shards.finish(job, {1: (by_shard[1], [])})
            written = {name: data for name, data in files_below(out).items() if "Split" in name}
            outcomes.append((written, sorted(row for row in rows if row.shard == 1)))

    assert len(outcomes[0][0]) == len(features.SPLITS)
    assert all(one == outcomes[0] for one in outcomes)
    shards.clean_up(job)
    assert set(files_below(out)) == set(outcomes[0][0]), "something unfinished is left"


def test_a_source_that_ends_too_early_is_one_line(faces: Files, tmp_path: Path) -> None:
    uri = write_tar(tmp_path / "faces.tar.gz", faces)
    uri.write_bytes(uri.read_bytes()[:-100])

    with pytest.raises(UserError) as error:
        ingest(uri, tmp_path / "out")

    assert str(error.value).startswith(f"{uri}: ")
    assert "\n" not in str(error.value)


def test_no_usable_picture_at_all_is_one_line(
    rejected: dict[str, tuple[bytes, str]], tmp_path: Path
) -> None:
    uri = write_folder(tmp_path / "faces", {name: data for name, (data, _) in rejected.items()})

    with pytest.raises(UserError, match="none of its files can be used"):
        ingest(uri, tmp_path / "out")


def test_balancing_everything_away_is_one_line(faces: Files, tmp_path: Path) -> None:
    uri = write_folder(tmp_path / "faces", {f: faces[f] for f in faces if f.startswith("3")})

    with pytest.raises(UserError, match=r"none of its files.*above_age_max.*age_max"):
        ingest(uri, tmp_path / "out", balance=Balance(age_max=2))


@pytest.mark.parametrize("balance", [DEFAULT_BALANCE, CHOICE])
def test_a_portable_runner_writes_the_same_bytes(
    with_copies: Files, balance: Balance, tmp_path: Path
) -> None:
    """Beam's job service, with workers that talk to it over gRPC as on a cluster."""
    uri = write_tar(tmp_path / "faces.tar.gz", with_copies)
    here = ingest(uri, tmp_path / "here", balance=balance)
    there = ingest(uri, tmp_path / "there", balance=balance, beam_args=PORTABLE)

    for first, second in zip(here, there, strict=True):
        assert files_below(first.uri) == files_below(second.uri)


def test_a_portable_runner_ends_in_one_line_too(faces: Files, tmp_path: Path) -> None:
    uri = write_tar(tmp_path / "faces.tar.gz", faces)
    uri.write_bytes(uri.read_bytes()[:-100])

    with pytest.raises(UserError, match="cut short"):
        ingest(uri, tmp_path / "out", beam_args=PORTABLE)


def test_tfx_runs_it_and_reads_what_it_wrote(faces: Files, tmp_path: Path) -> None:
    few = dict(list(faces.items())[:6])  # fewer than shards and splits: some files are empty
    example_gen = FaceExampleGen(str(write_folder(tmp_path / "faces", few)), "fingerprint")
    statistics = StatisticsGen(examples=example_gen.outputs["examples"])
    LocalDagRunner().run(
        Pipeline(
            pipeline_name="ingestion",
            pipeline_root=str(tmp_path / "root"),
            components=[example_gen, statistics],
            metadata_connection_config=sqlite_metadata_connection_config(str(tmp_path / "db")),
            beam_pipeline_args=BEAM,
        )
    )

    folders = tmp_path.glob("root/StatisticsGen/statistics/*/Split-*")
    assert sorted(folder.name for folder in folders) == sorted(
        f"Split-{split}" for split in features.SPLITS
    )
    assert len(list(tmp_path.glob("root/FaceExampleGen/rejects/*/rejects.jsonl"))) == 1


@pytest.mark.real_data
def test_a_few_hundred_real_photographs(utkface: Path, tmp_path: Path) -> None:
    examples, rejects = ingest(utkface, tmp_path / "out", limit=300, shards=1)

    counts = collections.Counter(
        {split: len(examples_of(examples, split)) for split in features.SPLITS}
    )
    assert rejects.get_int_custom_property("total") == 300
    assert counts.total() == rejects.get_int_custom_property("used") >= 297
    assert all(counts[split] for split in features.SPLITS)
    ages = {value(example, features.AGE) for example in examples_of(examples, "train")}
    assert len(ages) > 30, "the sample is not spread over the archive"


@pytest.mark.real_data
def test_what_becomes_of_every_file_of_the_real_archive(utkface: Path, tmp_path: Path) -> None:
    _, rejects = ingest(utkface, tmp_path / "out", shards=2)
    found = ledger.parse((Path(rejects.uri) / ledger.LEDGER_FILE).read_text())

    assert found.found == 19_079
    assert found.rejected == {"bad_name": 3, "duplicate": 259, "label_conflict": 257}
    splits = collections.Counter(cell.split for cell in found.used.elements())
    assert splits == {"train": 11_885, "val": 1_494, "calib": 1_483, "test": 3_698}
    assert not found.left_out
    assert inspect(str(utkface)).ledger == found, "agegender data inspect says something else"
