"""Ingestion by a CSV of labels, against ingestion by names."""

from pathlib import Path

import pytest
import tensorflow as tf

from components.face_example_gen import label_file
from components.face_example_gen.labels import parse_name
from components.face_example_gen.ledger import LEDGER_FILE, REJECTS_FILE, parse, parse_rejects
from pipeline.errors import UserError
from pipeline.inspect_data import inspect
from schema import features

from .conftest import WRITERS, Files, drawing, encoded, write_folder
from .test_executor import examples_of, ingest


def write_labels(path: Path, named: dict[str, str]) -> Path:
    """A CSV of files and the names that carry their labels."""
    lines = ["file,age,gender,race"]
    for file, name in named.items():
        age, gender, race = parse_name(name)
        lines.append(f"{file},{age},{features.GENDERS[gender]},{features.RACES[race]}")
    path.write_text("\n".join(lines))
    return path


def without_names(serialized: list[tf.train.Example]) -> list[bytes]:
    for example in serialized:
        del example.features.feature[features.FILENAME]
    return sorted(example.SerializeToString(deterministic=True) for example in serialized)


def test_names_and_rows_give_equal_examples(faces: Files, tmp_path: Path) -> None:
    opaque = {f"{'x/' if i % 2 else 'y/'}{i:03d}.bin": name for i, name in enumerate(faces)}
    pictures = {file: faces[name] for file, name in opaque.items()}
    labels = write_labels(tmp_path / "labels.csv", opaque)
    archive = WRITERS["zip"](tmp_path, pictures)

    by_names, _ = ingest(write_folder(tmp_path / "named", faces), tmp_path / "by_names")
    by_rows, _ = ingest(archive, tmp_path / "by_rows", labels=labels)

    for split in features.SPLITS:
        expected = without_names(examples_of(by_names, split))
        assert without_names(examples_of(by_rows, split)) == expected
    assert by_rows.split_names == by_names.split_names


@pytest.mark.parametrize("kind", WRITERS)
def test_what_does_not_fit_is_a_reject_and_nothing_is_lost(kind: str, tmp_path: Path) -> None:
    pictures = {f"all/{i}.jpg": encoded(drawing(i)) for i in range(8)}
    source = WRITERS[kind](tmp_path, pictures)
    labels = tmp_path / "mine.csv"
    # With and without the folder that holds all; 3 has a bad age, 4 contradicting rows, 5 none.
    labels.write_text(
        "file,age,gender\n0.jpg,20,m\nall/1.jpg,30,f\n./2.jpg,40,0\n3.jpg,old,0\n4.jpg,50,1\n"
        "4.jpg,51,1\n6.jpg,117,1\n7.jpg,7,1\nall/7.jpg,7,1\ngone.jpg,1,1\n"
    )
    _, rejects = ingest(source, tmp_path / "out", labels=labels)
    counts = parse((Path(rejects.uri) / LEDGER_FILE).read_text())
    found = parse_rejects((Path(rejects.uri) / REJECTS_FILE).read_text())

    assert {(one.file, str(one.reason), one.detail) for one in found} == {
        ("all/3.jpg", "bad_label", "line 5 of mine.csv: age 'old' is no whole number"),
        ("all/4.jpg", "bad_label", "lines 6 and 7 of mine.csv contradict each other"),
        ("mine.csv:7", "duplicate_row", "line 6 names all/4.jpg too"),
        ("all/5.jpg", "no_label", "no row of mine.csv names it"),
        ("all/6.jpg", "label_out_of_range", "line 8 of mine.csv: age 117 is not in 0-116"),
        ("mine.csv:10", "duplicate_row", "line 9 names all/7.jpg too"),
        ("all/gone.jpg", "no_picture", "mine.csv names it, but there is no such file"),
    }
    assert sorted(cell[1:] for cell in counts.used.elements()) == [
        (7, 1, 4), (20, 0, 4), (30, 1, 4), (40, 0, 4),
    ]  # fmt: skip
    told = label_file.told(str(source), str(labels), "{}")
    assert inspect(str(source), labels=told).ledger == counts


def test_labels_that_fit_no_picture_end_in_one_line_that_says_why(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", {"a.jpg": encoded(drawing(1))})
    labels = tmp_path / "labels.csv"
    labels.write_text("file,age,gender\nelsewhere/b.jpg,1,1\n")
    with pytest.raises(UserError, match=r"1 no_label, 1 no_picture\); paths in the file of labels"):
        ingest(folder, tmp_path / "out", labels=labels)


def test_the_fingerprint_follows_the_content_of_the_labels(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", {"a.jpg": encoded(drawing(1))})
    labels = tmp_path / "labels.csv"
    found = {label_file.data_fingerprint(str(folder), "")}
    for content in ("file,age,gender\na.jpg,1,1\n", "file,age,gender\na.jpg,2,1\n"):
        labels.write_text(content)
        found.add(label_file.data_fingerprint(str(folder), str(labels)))
    assert len(found) == 3
    with pytest.raises(UserError, match=r"none\.csv: cannot be read"):
        label_file.data_fingerprint(str(folder), str(tmp_path / "none.csv"))
