"""The registered model answers as the servable does, and a version is made once."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from mlflow.tracking import MlflowClient

from pipeline.tracking import delivery, journal, place, registry, sync
from pipeline.tracking.place import Place, Tracking
from serving.versions import content_digest
from tests.components.servable_check import servables

PICTURES = [servables.picture(grey) for grey in (20, 90, 200)]


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv(place.URI_VARIABLE, raising=False)
    return place.of(Tracking(), tmp_path)


def published(where: Place, servable: Path, version: int, alias: str = registry.CHAMPION) -> None:
    book = journal.Journal(where.journals / f"{version}-{alias}.jsonl")
    record = f"run-{version}-{alias}"
    book.write(journal.Start(record=record, name=record, at=version))
    figures = {"test/age_mae": 4.549, "test/gender_accuracy": 0.9405}
    book.write(journal.metrics(record, figures))
    book.write(journal.Tags(record=record, values={"winner": "multitask"}))
    book.write(
        journal.Register(
            record=record,
            servable=str(servable),
            version=version,
            aliases=[alias],
        )
    )
    book.close()
    going = delivery.Delivery(book.path, where)
    going.go_on()
    assert going.refused == []
    delivery._note(book.path).unlink()  # as if the process had died before it was noted
    delivery.Delivery(book.path, where).go_on()


def test_a_published_model_is_loaded_by_its_alias_and_answers_as_the_servable(
    where: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servable = servables.export(tmp_path / "servable")
    published(where, servable, 3)
    other = servables.export(
        tmp_path / "other", lambda answers: answers | {"age": answers["age"] / 2}
    )
    published(where, other, 0, registry.CHALLENGER)
    client = MlflowClient(where.uri, where.uri)
    versions = client.search_model_versions(f"name='{registry.NAME}'")
    assert len(versions) == 2
    champion = client.get_model_version_by_alias(registry.NAME, "champion")
    challenger = client.get_model_version_by_alias(registry.NAME, "challenger")
    assert champion.tags["served_version"] == "3"
    assert "served_version" not in challenger.tags
    assert champion.tags["candidate"] == "multitask"
    good = "multitask: age MAE 4.55 years, gender accuracy 94.0% on test; "
    assert champion.description == f"{good}served as version 3; from run-3-champion"
    assert challenger.description == f"{good}not served; from run-0-challenger"
    assert "models:/agegender@champion" in client.get_registered_model(registry.NAME).description
    monkeypatch.setattr(mlflow.tracking, "get_tracking_uri", lambda: where.uri)
    mlflow.set_tracking_uri(where.uri)
    try:
        model = mlflow.pyfunc.load_model(f"models:/{registry.NAME}@champion")
    finally:
        mlflow.set_tracking_uri(None)
    direct = tf.saved_model.load(str(servable)).signatures["serving_default"](
        image_bytes=tf.constant(PICTURES)
    )
    files = [tmp_path / f"{index}.jpg" for index in range(3)]
    for path, picture in zip(files, PICTURES, strict=True):
        path.write_bytes(picture)
    for asked in (
        PICTURES,
        [str(path) for path in files],
        pd.DataFrame({"picture": PICTURES}),
    ):
        answer = model.predict(asked)
        assert sorted(answer.columns) == sorted(direct)
        for name, values in direct.items():
            if values.dtype == tf.string:
                assert [one.encode() for one in answer[name]] == list(values.numpy())
            else:
                np.testing.assert_allclose(answer[name], values, atol=1e-5)
    assert len(model.predict(str(files[0]))) == 1
    assert model.metadata.signature.outputs.input_names() == sorted(direct)
    assert model.input_example is not None


def test_content_that_is_served_again_is_a_version_again_and_the_champion(
    where: Place, tmp_path: Path
) -> None:
    first = servables.export(tmp_path / "first")
    published(where, first, 1)
    second = servables.export(tmp_path / "second", lambda out: out | {"age": out["age"] / 2})
    published(where, second, 2)
    entry = journal.Move(
        record="rollback-1", digest=content_digest(first), version=3, tags={"reason": "bad days"}
    )
    for _ in range(2):
        assert sync.told(where, "rollback", entry) == ""
    client = MlflowClient(where.uri, where.uri)
    assert len(client.search_model_versions(f"name='{registry.NAME}'")) == 3
    champion = client.get_model_version_by_alias(registry.NAME, "champion")
    assert champion.tags["served_version"] == "3"
    assert champion.tags["reason"] == "bad days"
    assert champion.tags["candidate"] == "multitask"
    assert champion.description.endswith("\n\nServed again as version 3: bad days")
    sources = {
        one.tags["served_version"]: one.source
        for one in client.search_model_versions(f"name='{registry.NAME}'")
    }
    assert champion.source == sources["1"] != sources["2"]
    unknown = entry.model_copy(update={"digest": "0" * 64})
    assert "no version of agegender has the content" in sync.told(where, "rollback", unknown)


def test_a_servable_that_is_gone_is_refused_in_one_line(where: Place, tmp_path: Path) -> None:
    book = journal.Journal(where.journals / "gone.jsonl")
    book.write(journal.Start(record="r", name="r", at=1))
    book.write(journal.Register(record="r", servable=str(tmp_path / "gone"), version=1))
    book.close()
    going = delivery.Delivery(book.path, where)
    going.go_on()
    (line,) = going.refused
    assert "gone" in line
    assert "\n" not in line
