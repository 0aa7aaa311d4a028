"""Whatever a source holds: no exception but a UserError, and no file lost.

A few hundred examples in `make test`, more than ten thousand in `make test-full`; the same ones
every time.
"""

import contextlib
import functools
import gzip
import io
import json
import math
import os
import resource
import socket
import struct
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from components.face_example_gen import curation, logic, sources
from components.face_example_gen.logic import Face
from components.face_example_gen.policy import Balance, Policy
from components.face_example_gen.rejects import Reason, Reject
from pipeline.errors import UserError
from schema import features

from .conftest import drawing, encoded

# Ours, of making duplicate members, and Pillow's, of damage.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

EFFORT = [pytest.param(1, id="quick"), pytest.param(30, id="long", marks=pytest.mark.slow)]
MEMORY = 2 * 2**30  # bytes, beyond what the process had before


def trying(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(autouse=True)
def memory_limit() -> Iterator[None]:
    """What asks for more than MEMORY gets a MemoryError, which no outcome may hide."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def check_source(uri: Path) -> Counter[str]:
    """Holds a source to the promise; how many of its files had each outcome."""
    try:
        sources.fingerprint(str(uri))
        listed = [entry.name for entry in sources.list_entries(str(uri))]
    except UserError:
        with pytest.raises(UserError, match=r"\A[^\n]+\Z"):
            list(logic.examine_source(str(uri), lambda _: True))
        return Counter(["refused"])
    found = list(logic.examine_source(str(uri), lambda _: True))
    assert [face.file for face in found] == listed
    rows = [curation.Row(f.file, f.image_sha256, f.labels) for f in found if isinstance(f, Face)]
    used, left_out = curation.curate(rows, Policy(), Balance())
    assert sorted([*used, *(one.row for one in left_out)]) == sorted(rows)
    return Counter(map(outcome, found))


def outcome(found: Face | Reject) -> str:
    """`used` or the reason, once it is sure that the rest of the pipeline can live with it."""
    assert json.loads(json.dumps(found.file)) == found.file == found.file.encode().decode()
    if isinstance(found, Reject):
        assert found.reason in Reason
        assert found.detail
        assert "\n" not in found.detail
        assert "MemoryError" not in found.detail
        return found.reason
    assert min(found.width, found.height) >= 16
    assert 0 <= found.brightness <= 1
    assert math.isfinite(found.sharpness)
    assert found.sharpness >= 0
    assert logic.split_of(found.image_sha256) in features.SPLITS
    stored = np.asarray(Image.open(io.BytesIO(found.jpeg)).convert("RGB"))
    assert logic.pixel_sha256(stored) == found.image_sha256
    return "used"


# --- names -------------------------------------------------------------------------------------

PARTS = st.sampled_from(
    ["..", ".", "", "/", "\\", "C:", "~", ".hidden", "__MACOSX", "a", "é", "e\u0301", "\0",
     "\u202e", "\n", "\x1b[31m", "\r", "20_1_2_x.jpg", "20_1_2", "116_0_4_", "9999_1_1", "-1_0_0",
     "_", "'", "[bold]", "%s", "🙂" * 50, "x" * 300, "1_1_1_" + "9" * 5000]
)  # fmt: skip
NAMES = st.one_of(
    st.lists(PARTS, min_size=1, max_size=5).map("/".join),
    st.lists(PARTS, min_size=1, max_size=4).map("".join),
    st.text(max_size=40),
    st.integers(0, 116).map(lambda age: f"{age}_{age % 2}_{age % 5}_20170116174525125.jpg"),
)


@pytest.mark.parametrize("effort", EFFORT)
def test_any_name(effort: int) -> None:
    picture = encoded(drawing(0))

    @trying(100 * effort)
    @given(st.one_of(NAMES, st.text(st.characters(), max_size=60)))
    def check(name: str) -> None:
        found = logic.examine(name, picture)
        assert found.file == name
        assert isinstance(found, Face) or found.reason in (
            Reason.BAD_NAME,
            Reason.LABEL_OUT_OF_RANGE,
        )

    check()


# --- pictures ----------------------------------------------------------------------------------


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


# --- archives ----------------------------------------------------------------------------------


class Member(NamedTuple):
    """Something in an archive or a folder."""

    name: str
    kind: bytes  # as tar has it
    data: bytes
    extra: dict[str, str]


KINDS = st.sampled_from(
    [tarfile.REGTYPE] * 12 + [bytes([code]) for code in b"\x00123456 7LKSxgXVDNAZ"]
)
NUMBERS = st.sampled_from(["0", "-1", "9" * 30, "1e9", "nan", "", "x", "512", "-512", str(2**63)])
PAX = st.dictionaries(
    st.one_of(
        st.sampled_from(
            ["path", "linkpath", "size", "mtime", "uid", "GNU.sparse.major", "GNU.sparse.minor",
             "GNU.sparse.size", "GNU.sparse.realsize", "GNU.sparse.map", "GNU.sparse.numblocks",
             "GNU.sparse.name", "GNU.sparse.offset", "hdrcharset", "comment"]
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="=\0"), min_size=1, max_size=9),
    ),
    NUMBERS | st.sampled_from(["0,512", "1", "../../up.jpg", "/etc/passwd", "BINARY", "1_1_1.jpg"]),
    max_size=3,
)  # fmt: skip
PLAIN = st.builds(Member, NAMES, st.just(tarfile.REGTYPE), BYTES, st.just({}))
ODD = st.builds(Member, NAMES, KINDS, BYTES, PAX)
MEMBERS = st.lists(PLAIN | ODD, max_size=4)


def without_surrogates(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def tar(members: list[Member], form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form, errors="replace") as archive:
        for name, kind, data, extra in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "../" * 9 + "etc/passwd"
            info.pax_headers = extra
            try:
                archive.addfile(info, io.BytesIO(data))
            except ValueError:  # this form cannot hold that name
                info.name = "1_1_1.jpg"
                archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def packed(members: list[Member], method: int, levels: int) -> bytes:
    """A zip, or a zip of a zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, kind, data, _ in members:
            info = zipfile.ZipInfo(without_surrogates(name)[:60_000])
            info.compress_type = method
            info.external_attr = (0o120777 if kind in b"12" else 0o100644) << 16
            archive.writestr(info, data)
    if levels:
        return packed([Member("inner.zip", b"0", stream.getvalue(), {})], method, levels - 1)
    return stream.getvalue()


FORMS = st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
METHODS = st.sampled_from(
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
TARS = st.builds(edited, st.builds(tar, MEMBERS, FORMS), SOME_EDITS)
TAR_GZS = st.builds(edited, TARS.map(functools.partial(gzip.compress, compresslevel=1)), SOME_EDITS)
ZIPS = st.builds(
    edited, st.builds(packed, MEMBERS, METHODS, st.sampled_from([0, 0, 0, 1])), SOME_EDITS
)


@pytest.mark.parametrize("effort", EFFORT)
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_any_archive(kind: str, effort: int, tmp_path: Path) -> None:
    uri = tmp_path / f"faces.{kind}"
    seen: Counter[str] = Counter()

    @trying(60 * effort)
    @given({"tar": TARS, "tar.gz": TAR_GZS | TARS.map(gzip.compress), "zip": ZIPS}[kind])
    def check(data: bytes) -> None:
        uri.write_bytes(data)
        seen.update(check_source(uri))

    check()
    assert {"used", "refused", "bad_name"} <= set(seen)
    assert list(tmp_path.iterdir()) == [uri], "something was unpacked"


# --- folders -----------------------------------------------------------------------------------

ITEMS = st.lists(
    st.builds(
        Member,
        NAMES,
        st.sampled_from(
            [b"file"] * 5 + [b"link", b"loop", b"pipe", b"socket", b"locked", b"itself"]
        ),
        BYTES,
        st.just({}),
    ),
    max_size=5,
)


def put(root: Path, item: Member) -> None:
    """Makes the item somewhere below `root`, as near to its name as the file system lets us."""
    name = os.fsencode(item.name.encode("utf-8", "surrogatepass").replace(b"\0", b"\xff"))
    parts = [part[:200] for part in name.split(b"/") if part not in (b"", b".", b"..")]
    path = Path(os.fsdecode(os.path.join(os.fsencode(root), *parts[:6] or [b"x"])))
    # The file system refuses some: two of a name, or a socket below a long path.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        match item.kind:
            case b"link":
                path.symlink_to("nowhere")
            case b"loop":
                path.symlink_to(root)
            case b"itself":
                path.symlink_to(path)
            case b"pipe":
                os.mkfifo(path)
            case b"socket":
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(str(path))
            case _:
                with path.open("xb") as file:  # never through a link or into a pipe
                    file.write(item.data)
                path.chmod(0 if item.kind == b"locked" else 0o644)


@pytest.mark.parametrize("effort", EFFORT)
def test_any_folder(effort: int) -> None:
    seen: Counter[str] = Counter()

    @trying(60 * effort)
    @given(ITEMS)
    def check(items: list[Member]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for item in items:
                put(Path(folder), item)
            seen.update(check_source(Path(folder)))

    check()
    assert {"used", "refused", "bad_name", "unreadable"} <= set(seen)


# --- one by one --------------------------------------------------------------------------------

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


def test_a_small_tar_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("1_1_1.jpg")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4 * 2**30
    uri = tmp_path / "faces.tar"
    with uri.open("wb") as file:
        file.write(info.tobuf())
        file.truncate(info.size + 2048)  # with a hole: takes no space

    with pytest.raises(UserError, match="header of 4,294,967,296 bytes"):
        sources.list_entries(str(uri))


def test_folders_may_be_nested_as_deep_as_the_system_lets_them(tmp_path: Path) -> None:
    folders = [tmp_path]
    while len(folders) < 1500:  # beyond Python's limit of recursion
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    picture = folders[-1] / "1_1_1.jpg"
    picture.write_bytes(encoded(drawing(0)))
    try:
        assert check_source(tmp_path) == {"used": 1}
    finally:
        picture.unlink()  # pytest could not
        for folder in reversed(folders[1:]):
            folder.rmdir()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_costs_that_member_whatever_packed_it(method: int, tmp_path: Path) -> None:
    members = [Member(f"{i}_1_1.jpg", b"0", encoded(drawing(i)), {}) for i in range(2)]
    data = bytearray(packed(members, method, 0))
    data[60:90] = bytes(30)
    uri = tmp_path / "faces.zip"
    uri.write_bytes(data)

    assert check_source(uri) == {"used": 1, "unreadable": 1}


@pytest.mark.parametrize("offset", [2**31, 2**32 - 2])
def test_a_zip_member_that_lies_elsewhere_is_a_reject(offset: int, tmp_path: Path) -> None:
    names = ["1_1_1.jpg", ""]
    members = [Member(name, b"0", encoded(drawing(0)), {}) for name in names]
    data = bytearray(packed(members, zipfile.ZIP_DEFLATED, 0))
    at = data.index(b"PK\x01\x02") + 42
    data[at : at + 4] = struct.pack("<I", offset)
    uri = tmp_path / "faces.zip"
    uri.write_bytes(data)

    assert check_source(uri) == {"unreadable": 1, "bad_name": 1}
