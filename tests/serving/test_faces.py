"""Faces are found where they are, and cropped as UTKFace cropped them."""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.sample import write_sample
from serving import faces, photographs
from serving.faces import Square
from serving.photographs import Pixels

SIDES = st.floats(8, 2000)
PLACES = st.floats(-500, 3000)
ANGLES = st.floats(-90, 90)


@pytest.fixture(scope="module")
def portrait() -> Pixels:
    """A photograph that ships with Matplotlib: the US Navy's, of Grace Hopper, 512 x 600."""
    path = files("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    return photographs.read(path.read_bytes())


@pytest.fixture(scope="module")
def find() -> faces.Finder:
    return faces.haar()


@given(PLACES, PLACES, SIDES, ANGLES, st.floats(0.1, 8))
def test_a_crop_scales_with_its_picture(
    x: float, y: float, side: float, angle: float, scale: float
) -> None:
    small = faces.chip(Square(x, y, side, angle))
    large = faces.chip(Square(x * scale, y * scale, side * scale, angle))
    assert np.allclose([v * scale for v in small[:3]], large[:3], atol=1e-6 * scale)
    assert large.angle == angle


@settings(deadline=None)
@given(st.floats(-90, 700), st.floats(-90, 700), st.floats(1, 900), ANGLES)
def test_a_cut_is_square_and_holds_none_but_the_pictures_pixels(
    x: float, y: float, side: float, angle: float
) -> None:
    pixels = np.full((300, 400, 3), 200, np.uint8)
    found = faces.cut(pixels, Square(x, y, side, angle))
    size = min(faces.CHIP_SIZE, max(1, round(side)))
    assert found.shape == (size, size, 3)
    assert (found == 200).all(), "beyond the edges, too"


@settings(deadline=None)
@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 100))
def test_an_upright_cut_within_the_picture_copies_it(left: int, top: int, side: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    found = faces.cut(pixels, Square(left + side / 2, top + side / 2, side))
    assert np.array_equal(found, pixels[top : top + side, left : left + side])


@given(PLACES, PLACES, SIDES)
def test_a_box_lies_within_its_picture(x: float, y: float, side: float) -> None:
    left, top, width, height = faces.bounds(Square(x, y, side), 640, 480)
    assert 0 <= left <= left + width <= 640
    assert 0 <= top <= top + height <= 480


@pytest.mark.parametrize("angle", [-90, -30, 0, 20, 90])
def test_a_cut_turns_a_tilted_head_upright(angle: float) -> None:
    middle = np.array([300.0, 250.0])
    chin = middle + 80 * np.array([-np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    pixels = np.zeros((500, 600, 3), np.uint8)
    cv2.circle(pixels, tuple(map(int, chin.round())), 6, (255, 255, 255), -1)
    found = faces.cut(pixels, Square(*middle, 200, angle))
    assert np.abs(np.argwhere(found[:, :, 0] > 128).mean(axis=0) - (180, 100)).max() < 2


@pytest.mark.parametrize("tilt", [-35, 0, 20])
@pytest.mark.parametrize("size", [1.0, 0.3, 3.0])
def test_a_portrait_has_one_face_where_it_is(
    portrait: Pixels, find: faces.Finder, tilt: float, size: float
) -> None:
    height, width = portrait.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -tilt, size)
    turn[:, 2] += (size - 1) * width / 2, (size - 1) * height / 2
    shape = round(width * size), round(height * size)
    turned = cv2.warpAffine(portrait, turn, shape, borderMode=cv2.BORDER_REFLECT)
    nose = turn @ (262, 225, 1)
    (face,) = find(turned)
    assert np.hypot(face.square.x - nose[0], face.square.y - nose[1]) < 30 * size
    assert face.square.side == pytest.approx(230 * size, rel=0.15)
    assert abs(face.square.angle - tilt) <= 20


def test_several_faces_are_found_the_largest_first(portrait: Pixels, find: faces.Finder) -> None:
    half = cv2.resize(portrait, (256, 300), interpolation=cv2.INTER_AREA)
    both = np.full((600, 800, 3), 128, np.uint8)
    both[:300, :256], both[:, 288:] = half, portrait
    assert [round(face.square.x / 400) for face in find(both)] == [1, 0]


def test_a_face_that_fills_its_picture_is_found_whole(portrait: Pixels, find: faces.Finder) -> None:
    close = portrait[125:345, 150:372]  # from the forehead to the chin, as UTKFace's are
    (face,) = find(np.ascontiguousarray(close))
    crop = faces.chip(face.square)
    assert crop.side == pytest.approx(222, rel=0.1)
    assert faces.cut(close, crop).shape == (200, 200, 3)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (480, 640), (20, 20)])
def test_where_nobody_is_nobody_is_found(find: faces.Finder, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    assert find(rng.integers(0, 256, (*shape, 3), np.uint8)) == []
    assert find(np.zeros((*shape, 3), np.uint8)) == []


def test_drawn_faces_are_found(tmp_path: Path, find: faces.Finder) -> None:
    drawn = write_sample(tmp_path / "faces", 20, jobs=1)
    assert [len(find(photographs.read(path.read_bytes()))) for path in drawn] == [1] * 20


@pytest.mark.parametrize("content", [None, b"this is no model"])
def test_a_model_yunet_cannot_use_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "yunet.onnx"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"yunet\.onnx.*give YuNet's \.onnx"):
        faces.yunet(path)


@pytest.mark.parametrize("angle", [-40.0, 0.0, 25.0])
def test_yunets_eyes_come_to_lie_as_utkfaces(angle: float) -> None:
    right, apart = np.array([400.0, 360.0]), 150
    left = right + apart * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    row = np.zeros(15, np.float32)
    row[:4], row[4:6], row[6:8], row[14] = (320, 240, 280, 360), right, left, 0.9
    face = faces.by_eyes(row)
    crop = faces.chip(face.square)
    assert crop.side == pytest.approx(apart / faces.EYES_APART, rel=1e-3)
    pixels = np.zeros((1200, 1200, 3), np.uint8)
    for eye in (right, left):
        cv2.circle(pixels, tuple(int(v) for v in eye.round()), 8, (255, 255, 255), -1)
    bright = np.argwhere(faces.cut(pixels, crop)[:, :, 0] > 128) / faces.CHIP_SIZE
    assert bright[:, 0].mean() == pytest.approx(0.5 - faces.EYES_UP, abs=0.01)
    assert bright[:, 1].mean() == pytest.approx(0.5, abs=0.01)
    assert face.square.angle == pytest.approx(angle, abs=0.1)
