import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Files = dict[str, bytes]

STAMP = "20170116174525125"


def drawing(seed: int, width: int = 40, height: int = 48) -> Image.Image:
    """A smooth coloured picture, another for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, file_format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def write_folder(root: Path, files: Files) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_tar(path: Path, files: Files, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_zip(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


WRITERS: dict[str, Callable[[Path, Files], Path]] = {
    "folder": lambda path, files: write_folder(path / "faces", files),
    "tar.gz": lambda path, files: write_tar(path / "faces.tar.gz", files),
    "tar": lambda path, files: write_tar(path / "faces.tar", files, "w"),
    "zip": lambda path, files: write_zip(path / "faces.zip", files),
}


@pytest.fixture(scope="session")
def faces() -> Files:
    """Forty usable pictures in the formats and name forms that are used."""
    files: Files = {}
    for i in range(36):
        name = f"{i * 3 % 117}_{i % 2}_{i % 5}_{STAMP}{i}"
        files[f"{'nested/' if i % 3 == 0 else ''}{name}.jpg.chip.jpg"] = encoded(drawing(i))
    files["30_0_1_png.png"] = encoded(drawing(100), "PNG")
    files["31_1_2_webp.webp"] = encoded(drawing(101), "WEBP", lossless=True)
    files["32_0_3_bmp.bmp"] = encoded(drawing(102), "BMP")
    files["33_1_4_no_extension"] = encoded(drawing(103), progressive=True)
    return files


@pytest.fixture(scope="session")
def rejected() -> dict[str, tuple[bytes, str]]:
    """Unusable files of every reason, with it; an `unreadable` one is damaged, not locked."""
    jpeg = encoded(drawing(200))
    png = bytearray(encoded(drawing(201), "PNG"))
    png[png.index(b"IDAT") + 6] ^= 0xFF
    return {
        f"61_1_{STAMP}.jpg.chip.jpg": (jpeg, "bad_name"),
        "README.txt": (b"Read me.", "bad_name"),
        "Thumbs.db": (bytes(64), "bad_name"),
        f"117_0_0_{STAMP}.jpg": (jpeg, "label_out_of_range"),
        f"20_2_0_{STAMP}.jpg": (jpeg, "label_out_of_range"),
        f"20_0_1_{STAMP}.jpg": (b"no picture at all", "not_an_image"),
        f"20_0_2_{STAMP}.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        f"20_0_3_{STAMP}.jpg": (b"", "truncated"),
        f"20_1_1_{STAMP}.jpg": (encoded(drawing(202, width=15)), "too_small"),
        f"20_1_2_{STAMP}.png": (encoded(Image.new("1", (10_000, 5_001)), "PNG"), "too_large"),
        f"20_1_3_{STAMP}.gif": (encoded(drawing(203), "GIF"), "unsupported_format"),
        f"20_1_4_{STAMP}.png": (bytes(png), "unreadable"),
    }
