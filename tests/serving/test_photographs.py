"""Every kind of picture comes out upright and in RGB, or with one line that says why not."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from serving import photographs
from serving.photographs import PhotographError

# How EXIF's eight orientations were made from an upright picture.
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture() -> Image.Image:
    """Each of its quarters is another colour, and it is wider than high."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30, 0] = pixels[:20, 30:, 1] = pixels[20:, :30, 2] = 200
    return Image.fromarray(pixels)


@pytest.mark.parametrize("orientation", TURNS)
def test_every_orientation_comes_out_upright(orientation: int) -> None:
    upright, turn = picture(), TURNS[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = upright if turn is None else upright.transpose(turn)
    found = photographs.read(encoded(stored, exif=exif))
    assert np.array_equal(found, np.asarray(upright))


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_comes_out_as_its_colours(mode: str) -> None:
    grey = Image.new("L", (32, 24), 255 if mode == "1" else 128)
    if mode == "I;16":
        image = Image.fromarray(np.full((24, 32), 128 << 8, np.uint16))
    else:
        image = (grey.convert("RGB") if mode == "CMYK" else grey).convert(mode)
    found = photographs.read(encoded(image, "TIFF" if mode in ("CMYK", "F", "I;16") else "PNG"))
    assert found.shape == (24, 32, 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - (255 if mode == "1" else 128)).max() <= 2


def test_transparency_lies_on_white_and_of_an_animation_the_first_frame_counts() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert (photographs.read(encoded(clear)) == 255).all()
    red, blue = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    moving = encoded(red, "GIF", save_all=True, append_images=[blue])
    assert photographs.read(moving)[0, 0].tolist() == [255, 0, 0]


def _bomb() -> bytes:
    """A PNG of a few bytes whose header says 60,000 x 60,000 pixels."""
    small = bytearray(encoded(Image.new("RGB", (1, 1))))
    small[16:24] = struct.pack(">II", 60_000, 60_000)
    small[29:33] = struct.pack(">I", zlib.crc32(bytes(small[12:29])))
    return bytes(small)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"# just a text\n" * 99, "not a picture"),
        (b"\0\0\0\x18ftypheic" + bytes(99), "HEIC is not supported; convert it to JPEG"),
        (_bomb(), "pixels"),
        (encoded(Image.new("1", (40_000, 8))), "30,000 on a side"),
        (encoded(picture(), "JPEG")[:-60], "damaged or cut short"),
        (bytes(photographs.MAX_FILE_BYTES + 1), "make it smaller"),
    ],
    ids=["empty", "text", "heic", "bomb", "long", "cut", "huge"],
)
def test_what_is_no_use_is_told_in_one_line(data: bytes, said: str) -> None:
    with pytest.raises(PhotographError, match=said) as raised:
        photographs.read(data)
    assert "\n" not in str(raised.value)


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 700), with_=st.binary(min_size=1, max_size=40), kind=st.sampled_from(
    ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"]
))  # fmt: skip
def test_damage_is_read_or_told_and_never_raises_anything_else(
    at: int, with_: bytes, kind: str
) -> None:
    data = bytearray(encoded(picture(), kind))
    at = min(at, len(data) - 1)
    data[at : at + len(with_)] = with_
    with contextlib.suppress(PhotographError):
        assert photographs.read(bytes(data)).ndim == 3
