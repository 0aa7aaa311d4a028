"""Faces in a photograph, and the crop about each that looks like a picture of UTKFace.

The default finder is OpenCV's Haar cascade (Viola and Jones 2001; Lienhart 2002), whose files
ship with OpenCV; YuNet (Wu et al. 2023) finds more where its model file is given. How good they
are: `benchmarks/faces.py`.
"""

import math
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import cv2.data
import numpy as np
import numpy.typing as npt

from pipeline.errors import EXIT_USAGE, UserError
from serving.photographs import Pixels

Gray = npt.NDArray[np.uint8]  # [height, width]


class Square(NamedTuple):
    """A square in a picture, in its pixels: centre, side, degrees it is turned clockwise."""

    x: float
    y: float
    side: float
    angle: float = 0.0


class Face(NamedTuple):
    """One face: its square as the finder gives it, and how sure the finder is (its own units)."""

    square: Square
    score: float


# RGB pixels to the faces in them, the largest first. Safe to call from several threads.
Finder = Callable[[Pixels], list[Face]]

CHIP_SIZE: Final = 200  # pixels, of UTKFace's pictures

# How UTKFace's crop lies about what a finder finds: median over UTKFace's own pictures, each with a
# border about it, since the cascade's square is as large as the crop itself
# (`python -m benchmarks.faces crop`).
CHIP_SIDE: Final = 0.980  # side of the crop / side of the cascade's square
CHIP_DOWN: Final = 0.098  # how far its centre is below the square's, in sides of the crop
EYES_APART: Final = 0.395  # between the eyes, in sides of the crop
EYES_UP: Final = 0.211  # from the crop's centre up to the line of the eyes, in its sides

# Of the copy that is searched, pixels: larger takes longer and finds smaller faces.
_LONGEST_SIDE: Final = 1024
_SHORTEST_SIDE: Final = 200
_SMALLEST_FACE: Final = 0.04  # of the longest side
_SMALLEST_WINDOW: Final = 24
_BORDER: Final = 0.25  # of the shorter side: a face that fills its picture is found whole
_GREY: Final = 128
_SCALE_STEP: Final = 1.1
_NEIGHBOURS: Final = 2
# Each find is looked at again by a second cascade, enlarged. 9 of its overlapping finds told best
# between faces and things that look like one.
_CLOSE_UP: Final = 96
_CLOSE_UP_MARGIN: Final = 0.35
_CLOSE_UP_FINDS: Final = 9
_OVERLAP: Final = 0.2
_TILTS: Final = (-30.0, 30.0)  # degrees; the cascade itself bears some 15


def haar() -> Finder:
    """Finds faces that look at the camera, from a twenty-fifth of the picture's longer side.

    Heads tilted by 15 to 45 degrees are looked for where no upright one was found.
    """
    local = threading.local()  # a cascade keeps what it works on

    def find(pixels: Pixels) -> list[Face]:
        if not hasattr(local, "cascades"):
            local.cascades = _cascade("alt2"), _cascade("alt")
        search, judge = local.cascades
        gray, scale = _reduced(pixels)
        found = _search(gray, 0.0, search, judge)
        for tilt in () if found else _TILTS:
            found += _search(gray, tilt, search, judge)
        return _distinct(_scaled(face, 1 / scale) for face in found)

    return find


def yunet(model: Path, least_score: float = 0.7) -> Finder:
    """Finds faces with OpenCV's YuNet; they are cropped, and turned upright, by their eyes.

    Args:
      model: an ONNX file, face_detection_yunet_*.onnx.
      least_score: 0 to 1; finds of less are left out.

    Raises:
      UserError: there is no such file, or OpenCV cannot use it.
    """
    local = threading.local()

    def detector() -> cv2.FaceDetectorYN:
        if not hasattr(local, "detector"):
            local.detector = cv2.FaceDetectorYN.create(str(model), "", (320, 320), least_score)
        return local.detector

    def find(pixels: Pixels) -> list[Face]:
        scale = min(1.0, _LONGEST_SIDE / max(pixels.shape[:2]))
        small = _resized(pixels, scale)
        detector().setInputSize((small.shape[1], small.shape[0]))
        _, rows = detector().detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        return _distinct(_scaled(by_eyes(row), 1 / scale) for row in ([] if rows is None else rows))

    if not model.is_file():
        raise UserError(f"{model}: there is no such file; give YuNet's .onnx", EXIT_USAGE)
    try:
        detector()
    except cv2.error as error:
        raise UserError(f"{model}: OpenCV cannot use it; give YuNet's .onnx", EXIT_USAGE) from error
    return find


def by_eyes(row: npt.NDArray[np.float32]) -> Face:
    """The face in one row of YuNet's: box, right eye, left eye, nose, mouth's corners, score [15].

    Its square is chosen so that `chip` gives the crop in which the eyes lie as in UTKFace's.
    """
    right, left = row[4:6].astype(float), row[6:8].astype(float)
    across = left - right
    # Seen from the side the eyes nearly meet; the width of YuNet's box then tells the size.
    side = max(float(np.hypot(*across)) / EYES_APART, float(row[2]))
    angle = math.degrees(math.atan2(across[1], across[0]))
    middle_x, middle_y = (right + left) / 2
    x, y = _moved(middle_x, middle_y, side * (EYES_UP - CHIP_DOWN), angle)
    return Face(Square(x, y, side / CHIP_SIDE, angle), float(row[14]))


def chip(face: Square) -> Square:
    """What UTKFace would have cropped about a face."""
    side = CHIP_SIDE * face.side
    x, y = _moved(face.x, face.y, CHIP_DOWN * side, face.angle)
    return Square(x, y, side, face.angle)


def cut(pixels: Pixels, square: Square, largest: int = CHIP_SIZE) -> Pixels:
    """The pixels in a square, turned upright, at most `largest` on a side.

    Beyond the picture's edges its outermost pixels are repeated.
    """
    side = max(1, round(square.side))
    turn = cv2.getRotationMatrix2D((square.x, square.y), square.angle, 1.0)
    # To whole pixels: an upright square is then copied, not interpolated.
    turn[:, 2] -= np.round([square.x - side / 2, square.y - side / 2])
    found = cv2.warpAffine(pixels, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return shrunk(found, largest)


def shrunk(pixels: Pixels, largest: int) -> Pixels:
    """The same picture, with at most `largest` pixels on a side."""
    return _resized(pixels, min(1.0, largest / max(pixels.shape[:2])))


def bounds(square: Square, width: int, height: int) -> tuple[int, int, int, int]:
    """left, top, width, height of the upright box about a square's centre, within a picture."""
    edges = [
        (
            min(max(round(at - square.side / 2), 0), end),
            min(max(round(at + square.side / 2), 0), end),
        )
        for at, end in ((square.x, width), (square.y, height))
    ]
    (left, right), (top, bottom) = edges
    return left, top, right - left, bottom - top


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_{name}.xml")


def _reduced(pixels: Pixels) -> tuple[Gray, float]:
    """The picture to search in, and how much smaller or larger it is."""
    longest = max(pixels.shape[:2])
    scale = min(max(longest, _SHORTEST_SIDE), _LONGEST_SIDE) / longest
    return cv2.cvtColor(_resized(pixels, scale), cv2.COLOR_RGB2GRAY), scale


def _search(
    gray: Gray, tilt: float, search: cv2.CascadeClassifier, judge: cv2.CascadeClassifier
) -> list[Face]:
    """The faces whose heads are tilted clockwise by `tilt` degrees, in the picture's pixels."""
    canvas, back = _turned(gray, tilt)
    least = max(_SMALLEST_WINDOW, round(_SMALLEST_FACE * max(gray.shape)))
    boxes = search.detectMultiScale(canvas, _SCALE_STEP, _NEIGHBOURS, 0, (least, least))
    found = []
    for left, top, side, _ in boxes:
        finds = _close_up_finds(canvas, left, top, side, judge)
        if finds >= _CLOSE_UP_FINDS:
            x, y = back @ (left + side / 2, top + side / 2, 1.0)
            found.append(Face(Square(float(x), float(y), float(side), tilt), float(finds)))
    return found


def _turned(gray: Gray, tilt: float) -> tuple[Gray, npt.NDArray[np.float64]]:
    """The picture on grey with a border, turned by `tilt` degrees; the matrix of the way back."""
    height, width = gray.shape
    border = round(_BORDER * min(gray.shape))
    cos, sin = (abs(function(math.radians(tilt))) for function in (math.cos, math.sin))
    size = (
        math.ceil(width * cos + height * sin) + 2 * border,
        math.ceil(width * sin + height * cos) + 2 * border,
    )
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1.0)
    turn[:, 2] += np.round([(size[0] - width) / 2, (size[1] - height) / 2])
    canvas = cv2.warpAffine(gray, turn, size, borderValue=_GREY)
    return canvas, cv2.invertAffineTransform(turn)


def _close_up_finds(
    canvas: Gray, left: int, top: int, side: int, judge: cv2.CascadeClassifier
) -> int:
    """How many overlapping finds the second cascade has in a close-up of the first one's."""
    margin = round(_CLOSE_UP_MARGIN * side)
    rows = slice(max(0, top - margin), top + side + margin)
    columns = slice(max(0, left - margin), left + side + margin)
    close_up = _resized(canvas[rows, columns], _CLOSE_UP / side)
    least, most = round(0.75 * _CLOSE_UP), round(1.4 * _CLOSE_UP)
    return len(judge.detectMultiScale(close_up, 1.05, 0, 0, (least, least), (most, most)))


def _distinct(faces: Iterable[Face]) -> list[Face]:
    """Each face once, the largest first."""
    ranked = sorted(faces, key=lambda face: (-face.square.side, face.square))
    boxes = [(x - side / 2, y - side / 2, side, side) for (x, y, side, _), _ in ranked]
    kept = cv2.dnn.NMSBoxes(boxes, [f.score for f in ranked], 0.0, _OVERLAP) if ranked else []
    return [ranked[i] for i in sorted(kept)]


def _scaled(face: Face, factor: float) -> Face:
    x, y, side, angle = face.square
    return face._replace(square=Square(x * factor, y * factor, side * factor, angle))


def _moved(x: float, y: float, down: float, angle: float) -> tuple[float, float]:
    """The point `down` below another as a head turned clockwise by `angle` degrees sees it."""
    return x - down * math.sin(math.radians(angle)), y + down * math.cos(math.radians(angle))


def _resized(pixels: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    if scale == 1:
        return pixels
    size = tuple(max(1, round(side * scale)) for side in pixels.shape[1::-1])
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
