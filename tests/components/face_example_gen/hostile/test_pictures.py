"""A file may hold anything."""

from collections import Counter

import pytest
from hypothesis import given
from PIL import Image

from components.face_example_gen import logic
from components.face_example_gen.rejects import Reject

from ..conftest import encoded
from .drill import EFFORT, outcome, trying
from .pictures import BYTES, pictures

# Ours, of making duplicate members, and Pillow's, of damage.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("effort", EFFORT)
def test_any_picture(effort: int) -> None:
    seen: Counter[str] = Counter()

    @trying(200 * effort)
    @given(BYTES)
    def check(data: bytes) -> None:
        seen.update([outcome(logic.examine("1_1_1.jpg", data))])

    check()
    # A test of nothing but refusals would prove little.
    assert {"used", "truncated", "unreadable", "too_large", "unsupported_format"} <= set(seen)


AS_IT_IS, REENCODED = "as it is", "re-encoded"
OUTCOMES = {
    "plain.JPEG": AS_IT_IS,
    "progressive.jpg": AS_IT_IS,
    "grey.jpg": AS_IT_IS,
    "two.mpo": AS_IT_IS,
    "turned1.jpg": AS_IT_IS,
    **dict.fromkeys([f"turned{turn}.jpg" for turn in range(2, 9)], REENCODED),
    "turned6.png": REENCODED,
    "cmyk.jpg": REENCODED,
    **dict.fromkeys(["plain.PNG", "deep.png", "palette.png", "alpha.png", "bits.png"], REENCODED),
    **dict.fromkeys(["plain.WEBP", "lossless.webp", "moving.webp", "moving.png"], REENCODED),
    **dict.fromkeys(["plain.BMP", "palette.bmp"], REENCODED),
    **dict.fromkeys(["plain.GIF", "plain.TIFF", "plain.ICO", "plain.PPM"], "unsupported_format"),
    **dict.fromkeys(["plain.JPEG2000", "deep.tiff", "cmyk.tiff"], "unsupported_format"),
    **dict.fromkeys(["bomb.png", "header.jpg", "header.bmp"], "too_large"),
    "header.png": "truncated",
    "header.webp": "unreadable",
}


def test_every_kind_of_picture_has_its_outcome() -> None:
    def treated(kind: str) -> str:
        found = logic.examine("1_1_1.jpg", pictures()[kind])
        if isinstance(found, Reject):
            return found.reason
        return AS_IT_IS if found.jpeg == pictures()[kind] else REENCODED

    assert {kind: treated(kind) for kind in OUTCOMES} == OUTCOMES


def test_a_small_jpeg_cannot_ask_for_minutes() -> None:
    whole = encoded(Image.new("L", (64, 64)), progressive=True)
    last_scan = whole[whole.rindex(b"\xff\xda") : -2]

    found = logic.examine("1_1_1.jpg", whole[:-2] + 1000 * last_scan + whole[-2:])

    assert outcome(found) == "unreadable"
    assert isinstance(found, Reject)
    assert "scans" in found.detail
