import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline import leaderboard
from pipeline.errors import UserError

FIGURES = {
    "age_mae": 14.87, "age_mse": 424.71, "age_rmse": 20.61, "age_r2": -0.01, "age_within_5": 0.441,
    "age_within_10": 0.739, "age_coverage": 1.0, "gender_accuracy": 0.939, "gender_auc": 0.988,
    "gender_f1": 0.938, "gender_precision": 0.944, "gender_recall": 0.932, "gender_ece": 0.023,
}  # fmt: skip


def row(name: str, **more: Any) -> dict[str, Any]:
    margin = {
        "figure": "age_mae", "value": 14.87, "limit": 6.0, "margin": -8.87, "passed": False,
    }  # fmt: skip
    return {
        "name": name,
        "score": 2.345,
        "test": FIGURES,
        "intervals": {"age_mae": [13.71, 16.81], "gender_accuracy": [0.9, 1.0]},
        "thresholds": {"max_age_mae": margin},
        "model": {
            "parameters": 14_357_544, "bytes": 57_430_176, "training_seconds": 8000.0,
            "latency_ms": 56.78, "images_per_second": 1234.5,
        },
    } | more  # fmt: skip


CONTENT = {
    "decision": "No candidate passed.",
    "winner": None,
    "blessed": False,
    "candidates": [
        row("transfer_efficientnet_b0", rank=1, passed=False, failed=["age_mae 14.87 is above 6"])
    ],
    "champion": row("constant"),
}


def test_every_figure_fits_into_80_columns() -> None:
    console = Console(width=80, no_color=True)
    with console.capture() as captured:
        leaderboard.show(console, CONTENT)
    said = captured.get()
    for whole in (
        "transfer_efficientnet_b0", "-0.01", "100.0%", "14.4 M", " 57.4 ", " 56.8 ",
        "13.7-16.8", "90-100", "1,234", "2.2 h", "failed 1", "to beat",
        "transfer_efficientnet_b0: broken: age_mae 14.87 is above 6",
    ):  # fmt: skip
        assert whole in said
    assert "…" not in said
    below_the_tables = said.index("transfer_efficientnet_b0: broken")
    assert max(map(len, said[:below_the_tables].splitlines())) <= 80


def test_without_a_run_it_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run agegender run first"):
        leaderboard.run_leaderboard(tmp_path, as_markdown=False, as_json=False)
    assert list(tmp_path.iterdir()) == []


def test_the_files_are_printed_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(leaderboard, "_newest", lambda _: tmp_path)
    (tmp_path / "leaderboard.json").write_text(json.dumps(CONTENT))
    (tmp_path / "leaderboard.md").write_text("| R² | 0.76 |\n", "utf-8")
    assert leaderboard.run_leaderboard(tmp_path, as_markdown=True, as_json=False) == 0
    assert capsys.readouterr().out == "| R² | 0.76 |\n"
    assert leaderboard.run_leaderboard(tmp_path, as_markdown=False, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == CONTENT
    assert leaderboard.run_leaderboard(tmp_path, as_markdown=False, as_json=False) == 0
    assert f"Page: {tmp_path}/leaderboard.html" in capsys.readouterr().out
