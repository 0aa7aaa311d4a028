import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import ablations, pictures
from pipeline import settings
from tests import faces
from trainer import fitting


@pytest.mark.parametrize("row", sorted(set(ablations.ROWS) - {ablations.BASE}))
def test_every_row_changes_the_base(row: str) -> None:
    base, changed = (settings.load("cpu", over, []) for over in ({}, ablations.ROWS[row]))
    assert base != changed


def test_a_stopped_program_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    trained = []
    real = fitting.fit

    def fit(*arguments: Any) -> fitting.Fitted:
        trained.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(fitting, "fit", fit)
    monkeypatch.setattr(pictures, "ingest", lambda *_: None)
    monkeypatch.setattr(pictures, "load", lambda *_: pictures.Pictures(*faces.arrays(24, 0)))

    monkeypatch.setenv("COLUMNS", "120")

    def run() -> list[str]:
        asked = ["faces", "--out", str(out), "--profile", "sample", "--epochs", "1"]
        monkeypatch.setattr(sys, "argv", ["ablations", *asked, "--rows", "base", "no mirror"])
        trained.clear()
        ablations.main()
        return [json.loads(line)["row"] for line in out.read_text().splitlines()]

    # The profile does not mirror: one training answers for both rows.
    assert run() == ["base", "no mirror"]
    assert len(trained) == 1
    base, other = out.read_text().splitlines(keepends=True)
    assert 0 < json.loads(base)["test"]["age_mae"] < 116
    assert json.loads(base)["test"] == json.loads(other)["test"]
    capsys.readouterr()
    run()
    assert not trained
    assert "no mirror" in capsys.readouterr().out
    # A row that was told something else does not count.
    out.write_text(base.replace('"epochs": 1, "patience"', '"epochs": 2, "patience"') + other)
    assert run() == ["base", "no mirror", "base"]
    assert len(trained) == 1
    assert json.loads(out.read_text().splitlines()[2])["told"] == json.loads(base)["told"]
