from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tracking import delivery, journal

_NAMES = st.text(max_size=30)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ENTRIES = st.one_of(
    st.builds(
        journal.Start,
        record=_NAMES,
        name=_NAMES,
        at=st.integers(0, 2**50),
        parent=st.none() | _NAMES,
        tags=st.dictionaries(_NAMES, _NAMES, max_size=3),
    ),
    st.builds(journal.Parameters, record=_NAMES, values=st.dictionaries(_NAMES, _NAMES)),
    st.builds(
        journal.Metrics,
        record=_NAMES,
        values=st.dictionaries(_NAMES, _NUMBERS),
        step=st.integers(0, 2**40),
        at=st.integers(0, 2**50),
    ),
    st.builds(journal.Files, record=_NAMES, path=_NAMES, folder=_NAMES),
    st.builds(journal.End, record=_NAMES, status=st.just("KILLED"), at=st.integers(0, 2**50)),
)


@given(written=st.lists(ENTRIES, max_size=8), cut=st.integers(0, 400))
def test_what_is_written_is_read_from_any_entry_on_and_a_cut_line_is_left(
    tmp_path_factory: pytest.TempPathFactory, written: list[journal.Entry], cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "run.jsonl"
    book = journal.Journal(path)
    for entry in written:
        book.write(entry)
    book.close()
    read = list(journal.entries(path))
    assert [entry for entry, _ in read] == written
    for index, (_, offset) in enumerate(read):
        assert [entry for entry, _ in journal.entries(path, offset)] == written[index + 1 :]
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(max(0, size - cut))
    left = [entry for entry, _ in journal.entries(path)]
    assert left == written[: len(left)]
    assert len(left) == sum(offset <= size - cut for _, offset in read)


def test_the_runs_of_a_killed_process_are_ended_the_inner_ones_first(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    book = journal.Journal(path)
    for record, parent in (("a", None), ("a/b", "a"), ("a/c", "a")):
        book.write(journal.Start(record=record, name=record, at=1, parent=parent))
    book.write(journal.End(record="a/b", status="FINISHED", at=2))
    book.close()
    with path.open("a") as file:
        file.write('{"record": "a", "kind": "tag')  # the kill came here
    delivery.close_what_was_killed(path)
    *_, first, second = (entry for entry, _ in journal.entries(path))
    assert [(one.record, one.kind) for one in (first, second)] == [("a/c", "end"), ("a", "end")]
    assert isinstance(first, journal.End)
    assert first.status == "KILLED"
    size = path.stat().st_size
    delivery.close_what_was_killed(path)
    assert path.stat().st_size == size
