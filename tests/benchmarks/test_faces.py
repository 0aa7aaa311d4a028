"""UTKFace's own crops are found again in photographs, and as they were cropped."""

import statistics
from pathlib import Path

import pytest

from benchmarks import faces as benchmark
from serving import faces, photographs


@pytest.fixture(scope="module")
def chips(utkface: Path) -> list[benchmark.Chip]:
    return benchmark.chips_of(utkface, 40)


@pytest.mark.real_data
def test_a_crop_pasted_into_a_photograph_is_found_as_it_was(chips: list[benchmark.Chip]) -> None:
    find, overlaps, others = faces.haar(), [], 0
    for seed, chip in enumerate(chips[:20]):
        one = benchmark.scene(chip, seed)
        found = [benchmark.overlap(faces.chip(f.square), one.place) for f in find(one.pixels)]
        overlaps += [max(found, default=0.0)]
        others += sum(overlap < 0.4 for overlap in found)
    hits = [overlap for overlap in overlaps if overlap > 0.4]
    assert len(hits) >= 16, overlaps
    assert statistics.median(hits) > 0.8
    assert others <= 6


@pytest.mark.real_data
def test_a_crop_is_found_whole_in_itself(chips: list[benchmark.Chip]) -> None:
    find, overlaps = faces.haar(), []
    for chip in chips:
        pixels = photographs.read(chip.jpeg)
        side = len(pixels)
        place = faces.Square(side / 2, side / 2, side)
        overlaps += [benchmark.overlap(faces.chip(f.square), place) for f in find(pixels)]
    assert len(overlaps) >= 36
    assert statistics.median(overlaps) > 0.8
