"""The registered model answers as the servable does, and a version is made once."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from mlflow.tracking import MlflowClient

from pipeline.tracking import delivery, journal, place, registry
from pipeline.tracking.place import Place, Tracking
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
    book.write(
        journal.Register(
            record=record,
            servable=str(servable),
            version=version,
            aliases=[alias],
            tags={"candidate": "multitask"},
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
