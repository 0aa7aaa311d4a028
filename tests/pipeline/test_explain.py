import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.errors import UserError
from pipeline.explain import run_explain
from pipeline.rollback import roll_back
from tests.pipeline.past import Past

MODEL = "transfer_efficientnet_b2"  # as long as names get


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """A search, data that a person accepted, a rollback; the longest names there are."""
    past = Past(tmp_path_factory.mktemp("explain") / "work")
    past.ingest("2026-11-24T21:17:20.372590", "/faces/of/[bold]all")
    past.gate("2026-11-24T21:17:20.372590", "a [red]pilot[/red]", "ann")
    past.tune("2026-11-24T21:17:20.372590", MODEL)
    past.train("2026-11-24T21:17:20.372590", MODEL, record_id="0123456789abcdef" * 2)
    past.publish("2026-11-24T21:17:20.372590", {MODEL: f"Trainer_{MODEL}"})
    past.reuse("DataGate", "2026-11-25T21:17:20.372590")
    past.train("2026-11-25T21:17:20.372590", "multitask_cnn")
    past.publish("2026-11-25T21:17:20.372590", {"multitask": "Trainer_multitask_cnn"})
    roll_back(past.workdir, past.model_dir, 1, "ann", "complaints about [2]")
    return past


def said(past: Past, version: int | None = None, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    assert run_explain(past.workdir, version, None, False, console) == 0
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def test_the_newest_version_is_explained_in_80_columns(past: Past) -> None:
    text = said(past)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    one_line = " ".join(text.split())
    for whole in (
        "Version 3", "to version 1 by ann,", "complaints about [2]",
        "version 1, whose content it is", "run 2026-11-24T21:17:20.372590",
        f"{MODEL} (transfer)", "/faces/of/[bold]all", "10 found, 7 used, 3 rejected",
        "duplicate 2, bad_name 1", "train 4, val 1, calib 0, test 2",
        "1 rule violated (female_share); accepted by ann: a [red]pilot[/red]",
        "/schema/ab/s.pbtxt", "96 x 96 pixels", f"Training of {MODEL}",
        "61.5 s, 12 epochs, 123,456 parameters, float32, seed 0",
        "trial 2 of 2", "val score 1.000 (age MAE 5.50, gender 90.0%); learning_rate 0.004",
        "frozen_epochs 30", "1 of 1 candidate, score 2.000 on val", "the constant predictor",
        "max_age_mae 7, min_gender_accuracy 0.9", "5.09 4.90 to 5.30 7.00 1.91 14.84",
        "any age +1.5 years (500 faces), from 20 -0.2 years (983 faces)",
        "temperature 1.310", "outcome passed", "Publisher",
        f"MLflow record {'0123456789abcdef' * 2}: Trainer_{MODEL}",
    ):  # fmt: skip
        assert whole in one_line, whole


def test_all_of_it_is_json(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_explain(past.workdir, 2, None, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["candidate"] == "multitask"
    assert found["origin"]["publication"]["run"] == "2026-11-25T21:17:20.372590"
    assert found["models"][0]["hyperparameters"]["learning_rate"] == 0.002
    assert found["data"]["gate"]["reason"] == "a [red]pilot[/red]"


def test_where_it_is_served_can_be_told(past: Past, tmp_path: Path) -> None:
    shutil.copytree(past.model_dir.parent, tmp_path / "elsewhere")
    console = Console(file=io.StringIO(), width=200)
    assert run_explain(past.workdir, None, tmp_path / "elsewhere", False, console) == 0
    with pytest.raises(UserError, match="nothing is served"):
        run_explain(past.workdir, None, tmp_path, False)
    with pytest.raises(UserError, match="nothing is on record"):
        run_explain(tmp_path, None, tmp_path / "elsewhere", False)
    assert not (tmp_path / "metadata.db").exists()


def test_what_is_not_kept_is_said_so(tmp_path: Path) -> None:
    past = Past(tmp_path / "work")
    past.ingest("first", "/faces")
    past.tune("first", "multitask_cnn")
    past.train("first", "multitask_cnn")
    past.publish("first", {"multitask": "Trainer_multitask_cnn"})
    shutil.rmtree(past.workdir / "artifacts")
    text = said(past)
    for name in ("rejected", "splits", "its folder", "the trial", "values", "leaderboard", "log"):
        (line,) = (one for one in text.splitlines() if one.startswith(f"  {name}  "))
        assert line.endswith("not kept any more"), name
    assert "of 1 candidate; the leaderboard is not kept any more" in text
    assert "multitask wins." in text
    assert "* its folder is not kept any more" in text
