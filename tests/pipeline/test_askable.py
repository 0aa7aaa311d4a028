import shutil
from pathlib import Path

import pytest

from pipeline.askable import candidates, servables
from pipeline.errors import UserError
from tests.pipeline.past import Past
from tests.serving.drills import write_model

RUN = "2026-11-24T21:17:20.372590"


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A run with two candidates that published the first."""
    past = Past(tmp_path / "work")
    past.ingest(RUN, "/faces")
    past.train(RUN, "multitask_cnn")
    past.train(RUN, "transfer_mobilenet_v2")
    nodes = {"multitask": "Trainer_multitask_cnn", "mobile": "Trainer_transfer_mobilenet_v2"}
    past.publish(RUN, nodes)
    for number, node in enumerate(nodes.values(), start=1):
        model = write_model(past.workdir / "made" / node, number)
        shutil.copytree(model, past.folder(node, "model") / "Format-Serving")
    return past


def test_the_served_one_comes_first_and_once(past: Past) -> None:
    found = servables(past.workdir, past.model_dir)
    assert list(found) == ["multitask (served, version 1)", "mobile"]
    assert found["multitask (served, version 1)"] == past.model_dir / "1"


def test_what_a_run_left_without_publishing_can_be_asked(past: Past) -> None:
    shutil.rmtree(past.model_dir)
    assert list(servables(past.workdir, past.model_dir)) == ["mobile", "multitask"]
    shutil.rmtree(past.folder("Trainer_multitask_cnn", "model"))
    assert list(candidates(past.workdir)) == ["mobile"]


def test_a_model_without_a_run_can_be_asked_and_neither_is_an_error(tmp_path: Path) -> None:
    write_model(tmp_path / "serving" / "agegender" / "3", 1)
    found = servables(tmp_path, tmp_path / "serving" / "agegender")
    assert list(found) == ["served, version 3"]
    with pytest.raises(UserError, match="no model to ask here; run agegender run first"):
        servables(tmp_path / "empty", tmp_path / "empty" / "serving")
