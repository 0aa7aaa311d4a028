import fcntl
import shutil
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline import publications, record
from pipeline.errors import UserError
from pipeline.rollback import ROLLBACK, Rollback, roll_back
from serving import versions
from tests.pipeline.past import Past

NODES = ("Publisher", "Champion", "Trainer_multitask_cnn")


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Two publications."""
    past = Past(tmp_path / "work")
    past.ingest("first", "/faces")
    for run in ("first", "second"):
        past.train(run, "multitask_cnn")
        past.publish(run, {"multitask": "Trainer_multitask_cnn"})
    return past


def back(past: Past, version: int | None = None, why: str = "bad days") -> Rollback:
    return roll_back(past.workdir, past.model_dir, version, "ann", why)


def of_runs(past: Past) -> list[Any]:
    """All that runs see of the store."""
    return [
        record.last_run(past.store),
        record.nodes(past.store, "second"),
        *(record.node(past.store, node) for node in NODES),
        *(record.runs_of(past.store, node) for node in NODES),
    ]


def test_it_serves_earlier_content_under_a_new_number_and_on_record(past: Past) -> None:
    before = of_runs(past), versions.serving_state(past.model_dir)
    done = back(past, why="complaints\nabout 2")
    assert (done.version, done.source_version, done.who) == (3, 1, "ann")
    assert done.why == "complaints about 2"
    assert versions.list_versions(past.model_dir) == [1, 2, 3]
    assert versions.content_digest(past.model_dir / "3") == done.content_digest
    assert done.content_digest == versions.content_digest(past.model_dir / "1")
    assert publications.rolled_back(past.store) == [done]
    (execution,) = past.store.get_executions_by_type(ROLLBACK)
    assert execution.last_known_state == mlmd.Execution.COMPLETE
    made = record.artifacts(past.store, execution.id, mlmd.Event.OUTPUT)["pushed_model"]
    assert made.path == past.model_dir / "3"
    assert made.properties["pushed_version"] == "3"
    # Runs are not confused by it, but see that something else is served.
    assert (of_runs(past), versions.serving_state(past.model_dir)) != before
    assert of_runs(past) == before[0]


def test_without_a_version_it_goes_back_to_the_last_other_content(past: Past) -> None:
    past.train("third", "multitask_cnn")
    past.publish("third", {"multitask": "Trainer_multitask_cnn"})
    assert back(past).source_version == 2
    assert back(past).source_version == 3
    assert back(past, 1).version == 6


@pytest.mark.parametrize(
    ("version", "why", "code", "said"),
    [
        (1, " ", 2, "--reason"),
        (7, "why", 2, "there are: 1, 2"),
        (2, "why", 1, "is what is served already"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    past: Past, version: int, why: str, code: int, said: str
) -> None:
    with pytest.raises(UserError, match=said) as refused:
        back(past, version, why)
    assert refused.value.exit_code == code
    unchanged(past)


def unchanged(past: Past) -> None:
    assert versions.list_versions(past.model_dir)[-1] == 2
    assert publications.rolled_back(past.store) == []


def test_a_folder_that_is_not_what_was_published_is_refused(past: Past) -> None:
    (past.model_dir / "1" / "saved_model.pb").write_bytes(b"cut short")
    with pytest.raises(UserError, match="was changed since it was published"):
        back(past, 1)
    (past.model_dir / "1" / "variables" / "variables.index").unlink()
    with pytest.raises(UserError, match="not a whole SavedModel"):
        back(past, 1)
    with pytest.raises(UserError, match="nothing to roll back to"):
        back(past)
    shutil.rmtree(past.model_dir)
    with pytest.raises(UserError, match="nothing is served"):
        back(past)


def test_a_run_that_holds_the_work_folder_is_not_disturbed(past: Past) -> None:
    with (past.workdir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another run is using"):
            back(past)
    unchanged(past)


def test_a_publication_that_fails_is_on_record_as_failed(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Path) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(versions, "publish", full)
    with pytest.raises(UserError, match="No space left"):
        back(past)
    (execution,) = past.store.get_executions_by_type(ROLLBACK)
    assert execution.last_known_state == mlmd.Execution.FAILED
    unchanged(past)
