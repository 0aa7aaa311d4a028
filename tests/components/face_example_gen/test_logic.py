import collections
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.face_example_gen import logic
from components.face_example_gen.logic import Labels, decode, examine, measure, parse_name, split_of
from components.face_example_gen.rejects import BY_CHOICE, Reason, Reject
from components.face_example_gen.sources import list_entries
from pipeline.errors import UserError

from .conftest import STAMP, WRITERS, Files, drawing, encoded, write_folder

# The same examples in every run, and no deadline: machines are busy at times.
fixed = settings(derandomize=True, deadline=None)
LABELS = st.builds(Labels, st.integers(0, 116), st.integers(0, 1), st.integers(0, 4))


@fixed
@given(st.text())
def test_a_name_never_raises(name: str) -> None:
    assert isinstance(parse_name(name), Labels | Reject)


@fixed
@given(LABELS, st.sampled_from(["", "_", "."]), st.text(st.characters(exclude_characters="/")))
def test_sound_labels_are_used_whatever_follows(labels: Labels, end: str, rest: str) -> None:
    name = "_".join(map(str, labels)) + (end + rest if end else "")

    assert parse_name(name) == labels
    assert parse_name(f"any/folder_0/{name}") == labels


@fixed
@given(st.integers(-999, 999), st.integers(-9, 99), st.integers(-9, 99))
def test_labels_are_used_exactly_when_they_are_in_their_domains(
    age: int, gender: int, race: int
) -> None:
    found = parse_name(f"{age}_{gender}_{race}_{STAMP}.jpg")

    if 0 <= age <= 116 and 0 <= gender <= 1 and 0 <= race <= 4:
        assert found == Labels(age, gender, race)
    else:
        assert isinstance(found, Reject)
        assert found.reason is Reason.LABEL_OUT_OF_RANGE


@pytest.mark.parametrize(
    "name",
    [
        "",
        "README.txt",
        "Thumbs.db",
        "20.jpg",
        "20_1.jpg",
        f"20_1_{STAMP}.jpg",
        f"20_1_{STAMP[:8]}.jpg",
        f"20_1_{STAMP}.jpg.chip.jpg",
        f"20__1_{STAMP}.jpg",
        f"_20_1_2_{STAMP}.jpg",
        f"20.5_1_2_{STAMP}.jpg",
        f"20_1_2x_{STAMP}.jpg",
        f"x20_1_2_{STAMP}.jpg",
        f"20 1 2 {STAMP}.jpg",
        "٢٠_1_2_x.jpg",
        "20_1_2/x.jpg",
    ],
)
def test_a_name_without_three_label_fields_is_bad(name: str) -> None:
    found = parse_name(name)

    assert isinstance(found, Reject)
    assert (found.file, found.reason) == (name, Reason.BAD_NAME)


@fixed
@given(st.binary(min_size=32, max_size=32))
def test_the_split_follows_from_the_hash_alone(digest: bytes) -> None:
    position = int.from_bytes(digest[:8], "big") / 2**64
    bounds = {"train": 0.64, "val": 0.72, "calib": 0.80, "test": 1.0}

    assert split_of(digest.hex()) == next(s for s, upper in bounds.items() if position < upper)


def test_the_splits_have_their_fractions() -> None:
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(20_000)]
    counts = collections.Counter(map(split_of, digests))

    for split, fraction in logic.SPLIT_FRACTIONS.items():
        assert counts[split] / len(digests) == pytest.approx(fraction, abs=0.01)
    halves = collections.Counter(split_of(d, {"a": 0.5, "b": 0.5}) for d in digests)
    assert halves["a"] / len(digests) == pytest.approx(0.5, abs=0.01)


def test_brightness_and_sharpness_are_what_their_definitions_say() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (700, 600, 3), dtype=np.uint8)
    luma = pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    laplacian = around - 4 * luma[1:-1, 1:-1]

    sharpness = np.log10(1 + laplacian.var())
    assert measure(pixels) == pytest.approx((luma.mean() / 255, sharpness), rel=1e-9)
    assert measure(np.full((16, 16, 3), 255, np.uint8)) == (1.0, 0.0)
    assert measure(np.zeros((16, 16, 3), np.uint8)) == (0.0, 0.0)


def test_every_reject_says_its_reason(rejected: dict[str, tuple[bytes, str]]) -> None:
    found = {file: examine(file, data) for file, (data, _) in rejected.items()}

    assert {file: getattr(f, "reason", f) for file, f in found.items()} == {
        file: reason for file, (_, reason) in rejected.items()
    }
    assert all(isinstance(f, Reject) and f.file == file and f.detail for file, f in found.items())
    decided_later = BY_CHOICE | {Reason.DUPLICATE, Reason.LABEL_CONFLICT}
    of_a_label_file = {Reason.NO_LABEL, Reason.NO_PICTURE, Reason.BAD_LABEL, Reason.DUPLICATE_ROW}
    others = decided_later | of_a_label_file
    assert {reason for _, reason in rejected.values()} == set(Reason) - others


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP"])
def test_no_damage_to_a_picture_goes_beyond_its_own_file(file_format: str) -> None:
    data = encoded(drawing(1), file_format)
    rng = np.random.default_rng(1)
    for size in np.linspace(0, len(data) - 8, 60, dtype=int):
        found = examine("1_1_1.jpg", data[:size])
        assert not isinstance(found, Reject) or found.reason in (
            Reason.TRUNCATED,
            Reason.NOT_AN_IMAGE,  # when not even the signature is whole
        )
    for _ in range(300):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), 2):
            damaged[at] = rng.integers(256)
        found = examine("1_1_1.jpg", bytes(damaged))
        assert "\n" not in getattr(found, "detail", "")
        assert " at 0x" not in getattr(found, "detail", ""), "differs between runs"


def test_heic_is_named_for_what_it_is() -> None:
    found = examine("1_1_1.heic", b"\0\0\0\x18ftypheic" + bytes(100))

    assert isinstance(found, Reject)
    assert found.reason is Reason.UNSUPPORTED_FORMAT
    assert "HEIF" in found.detail


def test_a_picture_too_long_for_a_jpeg_is_a_reject() -> None:
    found = examine("1_1_1.png", encoded(Image.new("1", (70_000, 16)), "PNG"))

    assert isinstance(found, Reject)
    assert found.reason is Reason.UNREADABLE


def test_a_turned_photograph_is_stored_upright() -> None:
    upright = drawing(5, width=64, height=32)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise to see it so
    turned = encoded(upright.transpose(Image.Transpose.ROTATE_90), quality=95, exif=exif)

    jpeg, pixels = decode(turned)

    assert pixels.shape == (32, 64, 3)
    assert np.abs(pixels.astype(int) - np.asarray(upright)).mean() < 5
    assert Image.open(io.BytesIO(jpeg)).getexif().get(0x0112, 1) == 1


def test_deep_grey_pictures_are_scaled_not_clipped() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64, dtype=np.uint16), (32, 1))

    pixels = decode(encoded(Image.fromarray(ramp), "PNG")).pixels

    assert np.abs(pixels[..., 0].astype(int) - ramp // 256).max() <= 2


def test_equal_pixels_have_equal_hashes_whatever_the_file() -> None:
    plain = encoded(drawing(7))
    commented = plain[:2] + b"\xff\xfe\x00\x07hello" + plain[2:]
    first, second, other = (
        examine(f"{i}_1_1.jpg", data)
        for i, data in enumerate([plain, commented, encoded(drawing(8))])
    )

    assert first.image_sha256 == second.image_sha256 != other.image_sha256  # type: ignore[union-attr]
    row = np.zeros((1, 32, 3), np.uint8)
    assert logic.pixel_sha256(row) != logic.pixel_sha256(row.reshape(32, 1, 3))


def test_a_limit_takes_the_same_files_from_every_kind_of_source(
    faces: Files, tmp_path: Path
) -> None:
    chosen = set()
    for kind, write in WRITERS.items():
        (tmp_path / kind).mkdir()
        uri = str(write(tmp_path / kind, faces))
        last = logic.last_sample_key(uri, 10)
        names = [e.name for e in list_entries(uri) if logic.sample_key(e.name) <= last]
        chosen.add(frozenset(names))
        everything = logic.last_sample_key(uri, 0)
        assert all(logic.sample_key(name) <= everything for name in faces)
    (names_of_all,) = chosen
    assert len(names_of_all) == 10


def test_a_source_is_examined_in_its_order(faces: Files, tmp_path: Path) -> None:
    uri = str(write_folder(tmp_path, faces))

    found = [face.file for face in logic.examine_source(uri, lambda _: True)]

    assert found == [entry.name for entry in list_entries(uri)]


def test_nothing_usable_names_the_source_the_counts_and_the_remedy() -> None:
    error = logic.nothing_usable("faces.zip", {Reason.TRUNCATED: 2, Reason.BAD_NAME: 1})

    assert isinstance(error, UserError)
    assert "faces.zip" in str(error)
    assert "1 bad_name, 2 truncated" in str(error)
    assert logic.NAME_FORM in str(error)


@pytest.mark.real_data
def test_exactly_three_names_of_the_real_archive_lack_a_label(utkface: Path) -> None:
    found = [parse_name(entry.name) for entry in list_entries(str(utkface))]

    rejects = [reject for reject in found if isinstance(reject, Reject)]
    assert len(found) == 19_079
    assert {reject.file.partition("/")[2] for reject in rejects} == {
        "39_1_20170116174525125.jpg.chip.jpg",
        "61_1_20170109142408075.jpg.chip.jpg",
        "61_1_20170109150557335.jpg.chip.jpg",
    }
    assert {reject.reason for reject in rejects} == {Reason.BAD_NAME}
