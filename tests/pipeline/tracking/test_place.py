"""Where records are kept, and how commands that were told nothing find it."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.tracking import place
from pipeline.tracking.place import Tracking

SERVER = "http://mlflow.example:5000"


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(place.URI_VARIABLE, raising=False)


def test_commands_find_what_the_last_run_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.of_last_run(tmp_path).is_local  # nothing ran yet
    told = Tracking(uri=SERVER, experiment="faces")
    place.remember(told, tmp_path)
    monkeypatch.setenv(place.URI_VARIABLE, "http://other:1")  # a setting is stronger, as in a run
    found = place.of_last_run(tmp_path)
    assert found == place.of(told, tmp_path)
    assert (found.uri, found.experiment, found.is_local) == (SERVER, "faces", False)
    asked = place.of_last_run(tmp_path, "http://third:1")
    assert (asked.uri, asked.experiment) == ("http://third:1", "faces")

    place.remember(Tracking(), tmp_path)  # the next run names none
    assert place.of_last_run(tmp_path).uri == "http://other:1"
    monkeypatch.delenv(place.URI_VARIABLE)
    assert place.of_last_run(tmp_path) == place.of(Tracking(), tmp_path)


def test_a_database_of_ones_own_keeps_its_files_in_the_work_folder(tmp_path: Path) -> None:
    found = place.of(Tracking(uri="postgresql+psycopg2://ann:secret@db/mlflow"), tmp_path)
    assert found.artifacts == (tmp_path / "mlflow" / "artifacts").as_uri()
    assert not found.is_local
    assert place.of(Tracking(uri=SERVER), tmp_path).artifacts is None


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql+psycopg2://ann:se:cr@et@db/mlflow", "postgresql+psycopg2://ann:***@db/mlflow"),
        ("https://ann:secret@host:5000", "https://ann:***@host:5000"),
        (SERVER, SERVER),
        ("sqlite:////srv/mlflow.db", "sqlite:////srv/mlflow.db"),
    ],
)
def test_no_password_is_printed_and_nobody_else_reads_it(
    tmp_path: Path, uri: str, shown: str
) -> None:
    assert place.of(Tracking(uri=uri), tmp_path).shown == shown
    place.remember(Tracking(uri=uri), tmp_path)
    (kept,) = (tmp_path / "mlflow").iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_spoilt_note_is_named_in_one_line(tmp_path: Path) -> None:
    place.remember(Tracking(uri=SERVER), tmp_path)
    (kept,) = (tmp_path / "mlflow").iterdir()
    kept.write_text('{"uri": 3}')
    with pytest.raises(UserError, match=r"tracking\.json cannot be read .*: remove it"):
        place.of_last_run(tmp_path)
