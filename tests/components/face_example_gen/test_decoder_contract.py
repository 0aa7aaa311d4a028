"""What ingestion stores is decoded by TensorFlow to the very pixels that ingestion hashed."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.face_example_gen.logic import Picture, UndecodableError, decode
from components.face_example_gen.sources import read_entries

from .conftest import drawing, encoded


def holds(picture: Picture) -> bool:
    pixels = tf.io.decode_jpeg(
        picture.jpeg, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True
    )
    return np.array_equal(pixels, picture.pixels)


SIZES = [(16, 16), (17, 31), (200, 200), (199, 201)]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_of_every_kind(mode: str, progressive: bool) -> None:
    kept = set()
    for (width, height), sampling, quality in itertools.product(SIZES, range(3), (30, 75, 100)):
        image = drawing(quality, width, height).convert(mode)
        data = encoded(image, quality=quality, subsampling=sampling, progressive=progressive)
        picture = decode(data)
        assert holds(picture)
        assert picture.pixels.shape == (height, width, 3)
        kept.add(picture.jpeg == data)
    assert kept == {mode != "CMYK"}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "I;16"])
def test_other_formats_are_stored_as_jpegs(mode: str) -> None:
    image = drawing(3, 50, 60)
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert(mode)
    for file_format in ("PNG", "WEBP", "BMP"):
        if mode in ("I;16", "LA", "RGBA") and file_format != "PNG":
            continue
        picture = decode(encoded(image, file_format))
        assert picture.jpeg.startswith(b"\xff\xd8\xff")
        assert holds(picture)


def test_rgb_jpegs_and_what_follows_the_end_of_one() -> None:
    for data in (
        encoded(drawing(1), keep_rgb=True, subsampling=0),
        encoded(drawing(2)) + b"something else",
        encoded(drawing(3), restart_marker_blocks=2),
    ):
        picture = decode(data)
        assert picture.jpeg == data
        assert holds(picture)


@pytest.mark.parametrize("progressive", [False, True])
def test_damaged_jpegs_that_still_decode(progressive: bool) -> None:
    data = encoded(drawing(4, 48, 48), progressive=progressive)
    stored = {True: 0, False: 0}
    for seed in range(1500):
        rng = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 3])):
            damaged[rng.randrange(2, len(data))] = rng.randrange(256)
        try:
            picture = decode(bytes(damaged))
        except UndecodableError:
            continue
        assert holds(picture), f"seed {seed}"
        stored[picture.jpeg == damaged] += 1
    assert min(stored.values()) > 5, stored


def test_a_progressive_jpeg_without_its_last_scans_is_encoded_anew() -> None:
    data = encoded(drawing(5, 64, 64), progressive=True)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    partial = data[: scans[-1]] + b"\xff\xd9"

    picture = decode(partial)

    assert picture.jpeg != partial
    assert holds(picture)


@pytest.mark.real_data
def test_real_photographs_are_kept_as_they_are(utkface: Path) -> None:
    entries = read_entries(str(utkface), lambda name: hash_of(name) % 60 == 0)
    pictures = [(data, decode(data)) for _, data in entries if isinstance(data, bytes)]

    assert len(pictures) > 200
    assert all(picture.jpeg is data and holds(picture) for data, picture in pictures)


def hash_of(name: str) -> int:
    return random.Random(name).randrange(2**32)
