import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.face_example_gen.label_file import Columns, LabelFile, Table, read
from components.face_example_gen.labels import Labels
from components.face_example_gen.rejects import Reject
from pipeline.errors import UserError
from schema import features

fixed = settings(derandomize=True, deadline=None)
LABELS = st.builds(Labels, st.integers(0, 116), st.integers(0, 1), st.integers(0, 4))
# Parts of paths: whatever a file may be called, but for what means something in a path or a row.
PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1).filter(
    lambda part: part.strip() == part and part not in (".", "..")
)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
GENDERS = (("0", "male", "M", " Male "), ("1", "f", "FEMALE", "1.0"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels") / "labels.csv"


def table(path: Path, content: str | bytes, columns: Columns = Columns()) -> Table:  # noqa: B008
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(LabelFile(str(path), columns))


@fixed
@given(st.data())
def test_what_is_written_is_read(path: Path, data: st.DataObject) -> None:
    said = data.draw(st.dictionaries(PATHS, LABELS, min_size=1, max_size=5))
    delimiter, end = data.draw(st.sampled_from(",;\t")), data.draw(st.sampled_from(["\n", "\r\n"]))
    bom = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    columns = data.draw(st.permutations(["file", "age", "gender", "race", "note"]))
    text = io.StringIO()
    writer = csv.DictWriter(
        text, columns, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL
    )
    writer.writerow({name: name.title() for name in columns})
    for file, labels in said.items():
        gender = data.draw(st.sampled_from(GENDERS[labels.gender]))
        race = data.draw(st.sampled_from([str(labels.race), features.RACES[labels.race]]))
        row = {"file": file, "age": labels.age, "gender": gender, "race": race, "note": "a,b;c"}
        writer.writerow(row)

    found = table(path, bom + text.getvalue().encode())

    assert {file: found.label(file) for file in said} == said
    assert list(found.without_picture(said.keys())) == []


@fixed
@given(
    st.one_of(
        st.binary(),
        st.text().map(str.encode),
        st.text().map(lambda t: b"file,age,gender\n" + t.encode()),
    )
)
def test_anything_else_is_rejects_or_one_line(path: Path, content: bytes) -> None:
    try:
        found = table(path, content)
    except UserError as error:
        said = str(error)
    else:
        said = f"{path}"
        assert isinstance(found.label("a.jpg"), Labels | Reject)
        reasons = {str(one.reason) for one in found.without_picture(set())}
        assert reasons <= {"no_picture", "bad_label", "duplicate_row"}
    assert str(path) in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a,25.0,m,", Labels(25, 0, 4)),
        ("a,25,1,Latino", Labels(25, 1, 4)),
        ("a,25,1,ASIAN", Labels(25, 1, 2)),
        ("a,25.5,1,0", "line 2 of labels.csv: age '25.5' is no whole number"),
        ("a,nan,1,0", "line 2 of labels.csv: age 'nan' is no whole number"),
        ("a,,1,0", "line 2 of labels.csv: age is missing"),
        ("a,-1,1,0", "line 2 of labels.csv: age -1 is not in 0-116"),
        ("a,25,,0", "line 2 of labels.csv: gender is missing"),
        ("a,25,man,0", "line 2 of labels.csv: gender 'man' is not 0, 1, male, female, m or f"),
        ("a,25,1,5", "line 2 of labels.csv: race 5 is not in 0-4"),
        ("a,25,1,0,x", "line 2 of labels.csv: it has 5 cells, the header 4"),
        ("a,25,1", "line 2 of labels.csv: it has 3 cells, the header 4"),
    ],
)
def test_cells(path: Path, row: str, expected: Labels | str) -> None:
    found = table(path, f"file,age,gender,race\n{row}\n").label("a")
    assert (found.detail if isinstance(found, Reject) else found) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "line 1: is empty; give a header"),
        (b"file,age,gender\n\n", "line 2: holds no rows"),
        (b"file,y,gender\na,1,1", "no column 'age' among file, y, gender; name it"),
        (b"file,age,gender,Age\na,1,1,1", "line 1: two columns are called 'age'"),
        ("file,age,gender\na,1,1\n\u00e9,1,1".encode("latin-1"), "line 3: is not UTF-8"),
        ("file,age,gender\na,1,1".encode("utf-16"), "line 1: is not UTF-8"),
        (b'file,age,gender\na,1,1\n"b,1,1\n', "line 3 or after: is no CSV"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_of_labels(path: Path, content: bytes, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        table(path, content)
    assert expected in str(caught.value)


def test_columns_of_other_names_and_one_that_must_be_there(path: Path) -> None:
    content = "Bild;Alter;Geschlecht\nüber.jpg;31;f\n"
    found = table(path, content, Columns(file="bild", age="Alter", gender="geschlecht"))
    assert found.label("u\u0308ber.jpg") == Labels(31, 1, 4)  # as macOS writes it
    with pytest.raises(UserError, match="no column 'Herkunft'"):
        table(
            path, content, Columns(file="Bild", age="Alter", gender="Geschlecht", race="Herkunft")
        )
