import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from components.face_example_gen.policy import Balance, Policy
from pipeline.errors import UserError
from pipeline.inspect_data import inspect, run_inspect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, copies of two of them, one copy contradicting, and unusable names."""
    named = (
        ("3_0_0_a", 10),
        ("25_1_2_b", 20),
        ("26_1_2_c", 20),
        ("80_0_4_d", 30),
        ("30_0_1_e", 40),
        ("30_1_1_f", 40),
    )
    for name, grey in named:
        Image.new("RGB", (20 + grey, 40), (grey, grey, grey)).save(tmp_path / f"{name}.jpg")
    for i in range(12):
        (tmp_path / f"[bold]note{i:02d}.txt").write_text("no picture")
    return tmp_path


def test_the_summary_counts_what_is_there(folder: Path) -> None:
    summary = inspect(str(folder))

    assert summary.ledger.found == 18
    labels = Counter(cell[1:] for cell in summary.ledger.used.elements())
    assert labels == {(3, 0, 0): 1, (25, 1, 2): 1, (80, 0, 4): 1}
    assert summary.ledger.rejected == {"bad_name": 12, "duplicate": 1, "label_conflict": 2}
    assert [reject.reason for reject in summary.rejects] == [
        *["bad_name"] * 12,
        *["label_conflict"] * 2,
        "duplicate",
    ]
    assert summary.sizes == {(30, 40): 1, (40, 40): 1, (50, 40): 1}
    used = ("3_0_0_a.jpg", "25_1_2_b.jpg", "80_0_4_d.jpg")
    assert summary.jpeg_bytes == sum((folder / name).stat().st_size for name in used)
    assert sorted(summary.brightness) == pytest.approx([10 / 255, 20 / 255, 30 / 255], abs=1e-3)
    assert summary.sharpness.max() < 0.1


def test_what_is_printed(folder: Path) -> None:
    console = Console(width=80, record=True, file=io.StringIO())

    assert run_inspect(str(folder), console=console) == 0

    lines = console.export_text().splitlines()
    text = "\n".join(lines)
    assert "12 bad_name" in text
    assert "[bold]note09.txt" in text
    assert "[bold]note10.txt" not in text
    assert "and 2 more" in text
    assert "26_1_2_c.jpg: same pixels as 25_1_2_b.jpg" in text
    assert "genders female and male" in text
    (twenties,) = (line for line in lines if "20-29" in line)
    assert twenties.count("█") == 16, "the fullest bar takes all its room"
    assert text.count("█") == 3 * 16
    (everyone,) = (line for line in lines if "│ all" in line)
    assert everyone.split("│")[2:6] == ["     3 ", " 100.0% ", "  33.3% ", "     36.0 "]


def test_settings_decide_what_is_used(folder: Path) -> None:
    kept = Policy(duplicates="keep")
    summary = inspect(str(folder), policy=kept, balance=Balance(age_max=79))

    assert sorted(cell.age for cell in summary.ledger.used.elements()) == [3, 25, 26]
    assert summary.ledger.rejected["above_age_max"] == 1
    small = inspect(str(folder), policy=Policy(min_side=40))
    assert small.ledger.rejected["too_small"] == 1  # 30 x 40 pixels


def test_the_command_takes_settings(folder: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "data", "inspect", str(folder)]
    done = subprocess.run(
        [*command, "--set", "data.policy.min_side=4096"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "too_small" in done.stderr


def test_a_limit_reads_so_many_files(folder: Path) -> None:
    assert inspect(str(folder), limit=14).ledger.found == 14


def test_nothing_usable_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no picture")

    with pytest.raises(UserError, match="none of its files can be used"):
        run_inspect(str(tmp_path))


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, pipeline.inspect_data; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert not loaded & {"tensorflow", "tfx", "apache_beam", "keras"}


@pytest.mark.real_data
def test_a_sample_of_the_real_archive(utkface: Path) -> None:
    summary = inspect(str(utkface), limit=300)

    used = summary.ledger.used.total()
    assert summary.ledger.found == 300
    assert used >= 290
    assert summary.sizes == {(200, 200): used}
