"""Entries to MLflow: each once, whatever fails in between."""

import json
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from pipeline.tracking import courier, delivery, journal, place
from pipeline.tracking.place import Place, Tracking

A, B = "run-a", "run-a/Trainer_x"


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv(place.URI_VARIABLE, raising=False)
    return place.of(Tracking(), tmp_path)


def written(where: Place, name: str = "one") -> Path:
    """The journal of a run with another inside."""
    artifact = where.journals.parent / "file.txt"
    book = journal.Journal(where.journals / f"{name}.jsonl")
    artifact.write_text("something")
    entries: list[journal.Entry] = [
        journal.Start(record=A, name="outer", at=1000, tags={"colour": "blue"}),
        journal.Parameters(record=A, values={f"p{index}": "v" * index for index in range(250)}),
        journal.Start(record=B, name="inner", at=2000, parent=A),
        *(
            journal.Metrics(record=B, values={"epoch/loss": 1 / step}, step=step, at=2000 + step)
            for step in range(1, 6)
        ),
        journal.Metrics(record=B, values={f"m/{i}": i for i in range(1200)}, step=0, at=2900),
        journal.Files(record=B, path=str(artifact), folder="kept"),
        journal.Dataset(record=A, name="faces", digest="d1", source="faces", profile={"used": 3}),
        journal.Tags(record=A, values={"colour": "green"}),
        journal.End(record=B, status="FINISHED", at=3000),
        journal.End(record=A, status="FAILED", at=4000),
    ]
    for entry in entries:
        book.write(entry)
    book.close()
    return book.path


def everything(where: Place) -> dict[str, Run]:
    client = MlflowClient(where.uri, where.uri)
    experiment = client.get_experiment_by_name(where.experiment)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == len({run.info.run_name for run in found})
    return {run.info.run_name: run for run in found}


def check(where: Place) -> None:
    client = MlflowClient(where.uri, where.uri)
    runs = everything(where)
    assert runs.keys() == {"outer", "inner"}
    outer, inner = runs["outer"], runs["inner"]
    assert inner.data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert outer.data.tags["colour"] == "green"
    assert outer.data.params == {f"p{index}": "v" * index for index in range(250)}
    curve = client.get_metric_history(inner.info.run_id, "epoch/loss")
    assert [(point.step, point.value) for point in curve] == [(s, 1 / s) for s in range(1, 6)]
    assert len(inner.data.metrics) == 1201
    assert (outer.info.status, outer.info.end_time) == ("FAILED", 4000)
    assert (inner.info.status, inner.info.start_time) == ("FINISHED", 2000)
    assert [file.path for file in client.list_artifacts(inner.info.run_id, "kept")] == [
        "kept/file.txt"
    ]
    (given,) = outer.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("faces", "d1")


def test_a_journal_delivered_again_and_again_from_anywhere_is_on_record_once(
    where: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(where)
    note = delivery.Delivery._write_note
    # The process dies after MLflow answered, before that is noted: at every entry, in turn.
    for deadly in range(1, 18):
        told = 0

        def dying(self: delivery.Delivery, deadly: int = deadly) -> None:
            nonlocal told
            told += 1
            if told >= deadly:
                raise KeyboardInterrupt
            note(self)

        monkeypatch.setattr(delivery.Delivery, "_write_note", dying)
        delivery._note(path).unlink(missing_ok=True)
        try:
            delivery.Delivery(path, where).go_on()
        except KeyboardInterrupt:
            continue
        break
    else:
        pytest.fail("it never came to the end")
    monkeypatch.setattr(delivery.Delivery, "_write_note", note)
    check(where)
    going = delivery.Delivery(path, where)
    going.go_on()
    assert going.waiting == 0
    assert going.refused == []
    check(where)


def test_what_mlflow_refuses_for_good_is_named_and_passed_over(where: Place) -> None:
    book = journal.Journal(where.journals / "two.jsonl")
    book.write(journal.Start(record=A, name="outer", at=1))
    book.write(journal.Parameters(record=A, values={"p": "1"}))
    book.write(journal.Parameters(record=A, values={"p": "2"}))  # parameters never change
    book.write(journal.Tags(record="unknown", values={"a": "b"}))
    book.write(journal.End(record=A, status="FINISHED", at=2))
    book.close()
    going = delivery.Delivery(book.path, where)
    going.go_on()
    assert [line.partition(":")[0] for line in going.refused] == [
        f"parameters of {A}",
        "tags of unknown",
    ]
    (run,) = everything(where).values()
    assert run.info.status == "FINISHED"
    assert run.data.params == {"p": "1"}


def test_what_a_killed_run_left_is_delivered_by_the_next(where: Place) -> None:
    dead = journal.Journal(where.journals / "dead.jsonl")
    dead.write(journal.Start(record=A, name="dead", at=1000))
    dead.close()
    book = journal.Journal(where.journals / "next.jsonl")
    with delivery.held(book.path) as free:  # as the run holds its own
        assert free
        going = courier.Courier(book.path, where)
        book.write(journal.Start(record=B, name="next", at=2000))
        assert going.finish(60)
        assert [path.name for path in where.journals.glob("*.jsonl")] == ["next.jsonl"]
    book.close()
    going.forget()
    runs = everything(where)
    assert (runs["dead"].info.status, runs["next"].info.status) == ("KILLED", "RUNNING")
    assert list(where.journals.iterdir()) == []


def test_a_result_that_was_reused_leads_to_the_run_that_made_it(where: Place) -> None:
    delivery.Delivery(written(where), where).go_on()
    book = journal.Journal(where.journals / "later.jsonl")
    book.write(journal.Start(record="later", name="later", at=5000))
    book.write(journal.Reuse(record="later", node="Trainer_x", made_by=B))
    book.write(journal.Reuse(record="later", node="Transform", made_by=A))
    book.close()
    delivery.Delivery(book.path, where).go_on()
    runs = everything(where)
    told = json.loads(runs["later"].data.tags[delivery.REUSED_TAG])
    assert told == {"Trainer_x": runs["inner"].info.run_id, "Transform": runs["outer"].info.run_id}
