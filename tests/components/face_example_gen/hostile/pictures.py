"""Pictures of every kind, and what is left of them after some edits."""

import functools
import struct
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from ..conftest import drawing, encoded


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(
        ">I4sIIBBBBBI", 13, b"IHDR", width, height, 8, 2, 0, 0, 0, 0
    )


def bombs() -> dict[str, bytes]:
    """Small files that claim to be huge pictures."""
    jpeg = bytearray(encoded(drawing(0)))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = b"\xff\xff\xff\xff"
    bmp = bytearray(encoded(drawing(0), "BMP"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    vp8x = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff\xff\x00\x00"
    return {
        "bomb.png": encoded(Image.new("1", (8_000, 8_000)), "PNG"),
        "header.png": png_header(2**31 - 1, 2**31 - 1),
        "header.jpg": bytes(jpeg),
        "header.bmp": bytes(bmp),
        "header.webp": b"RIFF" + struct.pack("<I", len(vp8x)) + vp8x,
        "header.gif": b"GIF89a" + b"\xff" * 4 + encoded(drawing(0), "GIF")[10:],
    }


@functools.cache
def pictures() -> dict[str, bytes]:
    """One of every kind, sound or as dangerous as its format lets it be."""
    rgb, grey = drawing(0), drawing(1).convert("L")
    deep = Image.fromarray(np.linspace(0, 65535, 32 * 40).astype(np.uint16).reshape(32, 40))
    made = {
        "grey.jpg": encoded(grey),
        "cmyk.jpg": encoded(rgb.convert("CMYK")),
        "progressive.jpg": encoded(rgb, progressive=True),
        "deep.png": encoded(deep, "PNG"),
        "deep.tiff": encoded(deep, "TIFF"),
        "palette.png": encoded(rgb.convert("P"), "PNG", transparency=3),
        "alpha.png": encoded(rgb.convert("RGBA"), "PNG"),
        "grey_alpha.png": encoded(rgb.convert("LA"), "PNG"),
        "bits.png": encoded(rgb.convert("1"), "PNG"),
        "moving.png": encoded(rgb, "PNG", save_all=True, append_images=[drawing(2)]),
        "moving.webp": encoded(rgb, "WEBP", save_all=True, append_images=[drawing(2)]),
        "moving.gif": encoded(rgb, "GIF", save_all=True, append_images=[drawing(2)]),
        "lossless.webp": encoded(rgb.convert("RGBA"), "WEBP", lossless=True),
        "palette.bmp": encoded(rgb.convert("P"), "BMP"),
        "cmyk.tiff": encoded(rgb.convert("CMYK"), "TIFF"),
        "two.mpo": encoded(rgb, "MPO", save_all=True, append_images=[drawing(2)]),
        **{f"plain.{kind}": encoded(rgb, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF")},
        **{f"plain.{kind}": encoded(rgb, kind) for kind in ("TIFF", "ICO", "PPM", "JPEG2000")},
    }
    for turn in range(10):
        exif = Image.Exif()
        exif[0x0112] = turn
        made[f"turned{turn}.jpg"] = encoded(rgb, exif=exif)
        made[f"turned{turn}.png"] = encoded(rgb, "PNG", exif=exif)
    return made | bombs()


class Edit(NamedTuple):
    """One change to some bytes: at a place (counted from the end if negative), with what."""

    how: str
    at: int
    what: bytes


PLACES = st.one_of(st.integers(0, 700), st.integers(-700, -1), st.integers(0, 2**20))
EDITS = st.builds(
    Edit,
    st.sampled_from(["overwrite", "overwrite", "overwrite", "insert", "drop", "cut", "repeat"]),
    PLACES,
    st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from(
            [b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"9" * 12]
        ),
    ),
)


def edited(data: bytes, edits: list[Edit]) -> bytes:
    for how, place, what in edits:
        at = place % (len(data) + 1)
        head, tail = data[:at], data[at:]
        match how:
            case "overwrite":
                tail = what + tail[len(what) :]
            case "insert":
                tail = what + tail
            case "drop":
                tail = tail[len(what) :]
            case "cut":
                tail = b""
            case "repeat":
                tail = tail[:100] * 3 + tail
        data = head + tail
    return data


SOME_EDITS = st.lists(EDITS, max_size=4)
PICTURES = st.builds(
    lambda kind, edits: edited(pictures()[kind], edits),
    st.deferred(lambda: st.sampled_from(sorted(pictures()))),
    SOME_EDITS,
)
BYTES = st.one_of(PICTURES, PICTURES, PICTURES, st.binary(max_size=300))
