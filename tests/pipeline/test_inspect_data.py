import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from pipeline.errors import UserError
from pipeline.inspect_data import inspect, run_inspect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three ages, one picture twice, and twelve files with unusable names."""
    for name, grey in (("3_0_0_a", 10), ("25_1_2_b", 20), ("26_1_2_c", 20), ("80_0_4_d", 30)):
        Image.new("RGB", (20 + grey, 40), (grey, grey, grey)).save(tmp_path / f"{name}.jpg")
    for i in range(12):
        (tmp_path / f"[bold]note{i:02d}.txt").write_text("no picture")
    return tmp_path


def test_the_summary_counts_what_is_there(folder: Path) -> None:
    summary = inspect(str(folder))

    assert (summary.files, summary.usable) == (16, 4)
    assert summary.rejected == {"bad_name": 12}
    assert summary.ages == {
        ("0-4", "male"): 1,
        ("20-29", "female"): 2,
        ("80+", "male"): 1,
    }
    assert summary.races == {"White": 1, "Asian": 2, "Others": 1}
    assert summary.sizes == {(30, 40): 1, (40, 40): 2, (50, 40): 1}
    assert (summary.duplicate_groups, summary.surplus_files) == (1, 1)
    assert summary.splits.total() == 4
    assert summary.jpeg_bytes == sum(p.stat().st_size for p in folder.glob("*.jpg"))


def test_what_is_printed_names_ten_rejects_of_a_kind(folder: Path) -> None:
    console = Console(width=120, record=True, file=io.StringIO())

    assert run_inspect(str(folder), console=console) == 0

    text = console.export_text()
    assert "12 bad_name" in text
    assert "[bold]note09.txt" in text
    assert "[bold]note10.txt" not in text
    assert "and 2 more" in text
    assert "20-29" in text


def test_a_limit_reads_so_many_files(folder: Path) -> None:
    assert inspect(str(folder), limit=14).files == 14


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

    assert summary.files == 300
    assert summary.usable >= 297
    assert summary.sizes == {(200, 200): summary.usable}
