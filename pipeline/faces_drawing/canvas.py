"""The sheet a face is drawn on: coordinate fields, soft marks and noise.

Shapes are soft implicit functions evaluated per pixel, so every edge is antialiased and every
shadow is smooth without drawing larger and shrinking. Fields are float32 [SIZE, SIZE]; colours
are planar float32 [3, SIZE, SIZE] in 0..1. Only elementwise numpy is used: a BLAS call would
start one spinning thread per core in each worker.

Face units: the face is about 1.6 high and 1.1 wide around the origin, x to the right of the
picture, y down.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 200

Field: TypeAlias = NDArray[np.floating]
Patch: TypeAlias = tuple[slice, slice]
Colour: TypeAlias = Sequence[float] | Field
Point: TypeAlias = tuple[float, float]

_ROWS, _COLUMNS = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
SHEET_X: Field = (_COLUMNS + 0.5) / (SIZE / 2) - 1
SHEET_Y: Field = (_ROWS + 0.5) / (SIZE / 2) - 1
_OUTLINE_STEPS = 1024


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is on the sheet: shift and scale in sheet units, roll and turns in radians."""

    shift_x: float
    shift_y: float
    scale: float
    roll: float
    yaw: float
    pitch: float


@dataclass(slots=True)
class Canvas:
    """The coordinate fields of one face, and what has been drawn so far."""

    pose: Pose
    turn: tuple[float, float]  # cosine and sine of the roll
    px: float  # pixels per face unit
    x: Field  # head frame
    y: Field
    radius: Field  # distance from the head's centre to its outline, along each pixel's direction
    reach: Field  # 0 at the head's centre, 1 on the outline
    u: Field  # surface frame: x and y with the parallax of the turned head taken out
    v: Field
    picture: Field  # what the camera sees
    skin: Field  # albedo of the skin and what is painted on it, unlit
    relief: Field  # height of the skin towards the viewer, face units
    grain: Field  # fine noise, standard deviation 1


def make_canvas(pose: Pose, outline: Sequence[Point], rng: np.random.Generator) -> Canvas:
    """A blank canvas for a head whose right half runs through `outline`, crown first, chin last."""
    cos, sin = float(np.cos(pose.roll)), float(np.sin(pose.roll))
    dx, dy = SHEET_X - pose.shift_x, SHEET_Y - pose.shift_y
    x = (dx * cos + dy * sin) / pose.scale
    y = (dy * cos - dx * sin) / pose.scale
    steepness = y / (np.abs(x) + np.abs(y))  # stands for the angle: -1 at the crown, 1 at the chin
    index = steepness * (0.5 * (_OUTLINE_STEPS - 1)) + 0.5 * _OUTLINE_STEPS
    radius = look_up(_radius_table(outline), index)
    reach = np.sqrt(x * x + y * y) / radius
    dome = np.sqrt(np.clip(1 - reach * reach, 0, 1))
    return Canvas(
        pose=pose,
        turn=(cos, sin),
        px=pose.scale * SIZE / 2,
        x=x,
        y=y,
        radius=radius,
        reach=reach,
        u=x - pose.yaw * dome,
        v=y - pose.pitch * dome,
        picture=np.empty((3, SIZE, SIZE), np.float32),
        skin=np.empty((3, SIZE, SIZE), np.float32),
        relief=np.float32(0.62) * dome,
        grain=_grain(rng),
    )


def _grain(rng: np.random.Generator) -> Field:
    """Noise of standard deviation 1: the sum of two dice, five times as fast as a Gaussian."""
    dice = rng.integers(0, 256, (2, SIZE, SIZE), np.uint8)
    return (np.add(*dice, dtype=np.float32) - 255) * np.float32(1 / 104.5)


def _radius_table(outline: Sequence[Point]) -> Field:
    """Radius by steepness from crown to chin: `outline` in polar form, smoothed."""
    x, y = np.asarray(outline, np.float64).T
    steps = np.linspace(-1, 1, _OUTLINE_STEPS)
    table = np.interp(steps, y / (np.abs(x) + np.abs(y)), np.hypot(x, y))
    return smooth(table, 50, "reflect").astype(np.float32)


def smooth(table: NDArray[np.floating], width: int, edge: str) -> NDArray[np.float64]:
    """A 1-D table under a Hann window of 2 * width + 1 taps; `edge` names a mode of numpy.pad."""
    padded = np.pad(np.asarray(table, np.float64), width, mode=edge)  # type: ignore[call-overload]
    window = np.hanning(2 * width + 3)[1:-1]
    return np.convolve(padded, window / window.sum(), mode="valid")


def look_up(table: Field, at: Field) -> Field:
    """The table's entry at each (whole part of an) index; an index past an end begins anew."""
    return table.take(at.astype(np.intp), mode="wrap")


def box(canvas: Canvas, centre: Point, half_x: float, half_y: float) -> Patch:
    """The pixels that hold a rectangle of the surface frame, parallax allowed for."""
    pose = canvas.pose
    cos, sin = canvas.turn
    x, y = centre[0] + 0.8 * pose.yaw, centre[1] + 0.8 * pose.pitch
    column = (pose.shift_x + pose.scale * (x * cos - y * sin) + 1) * SIZE / 2
    row = (pose.shift_y + pose.scale * (x * sin + y * cos) + 1) * SIZE / 2
    half_x, half_y = half_x + 0.3 * abs(pose.yaw), half_y + 0.3 * abs(pose.pitch)
    across = (half_x * abs(cos) + half_y * abs(sin)) * canvas.px + 2
    down = (half_x * abs(sin) + half_y * abs(cos)) * canvas.px + 2
    return _span(row, down), _span(column, across)


def crop(canvas: Canvas, patch: Patch) -> Canvas:
    """A canvas over some of the pixels; what is drawn on it appears on the whole.

    `box` and what builds on it (`spot`, `stroke`) count from the whole sheet: not for a crop.
    """
    fields = ("x", "y", "radius", "reach", "u", "v", "relief", "grain")
    planes = ("picture", "skin")
    return replace(
        canvas,
        **{name: getattr(canvas, name)[patch] for name in fields},
        **{name: getattr(canvas, name)[:, patch[0], patch[1]] for name in planes},
    )


def _span(centre: float, half: float) -> slice:
    # Never empty: a mark pushed off the sheet becomes one pixel too far away to show.
    start = min(max(int(centre - half), 0), SIZE - 1)
    return slice(start, min(max(int(centre + half) + 1, start + 1), SIZE))


def spot(canvas: Canvas, centre: Point, rx: float, ry: float) -> tuple[Patch, Field]:
    """A Gaussian of height 1 with standard deviations rx and ry, and the pixels it covers."""
    patch = box(canvas, centre, 2.6 * rx, 2.6 * ry)
    a = (canvas.u[patch] - centre[0]) / rx
    b = (canvas.v[patch] - centre[1]) / ry
    return patch, np.exp(-0.5 * (a * a + b * b))


def stroke(
    canvas: Canvas, start: Point, end: Point, bend: float, width: float
) -> tuple[Patch, Field]:
    """A soft line that fades at both ends.

    `bend` is how far its middle swings to the left of the way from start to end; `width` is the
    standard deviation across; both in face units.
    """
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = float(np.hypot(dx, dy)) + 1e-6
    margin = abs(bend) + 2.6 * width
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    patch = box(canvas, middle, abs(dx) / 2 + margin, abs(dy) / 2 + margin)
    u, v = canvas.u[patch] - start[0], canvas.v[patch] - start[1]
    along = np.clip((u * dx + v * dy) / (length * length), 0, 1)
    arch = 4 * along * (1 - along)
    off = ((u * dy - v * dx) / length - bend * arch) / width
    return patch, np.exp(-0.5 * off * off) * np.minimum(1, 1.6 * arch)


def cover(distance: Field, px: float, softness: float = 1.0) -> Field:
    """Coverage 0..1 from a signed distance inside a shape, face units; edge `softness` pixels."""
    return np.clip(distance * (px / softness) + 0.5, 0, 1)


def paint(planes: Field, patch: Patch, mask: Field, colour: Colour) -> None:
    """Blend `colour` (three numbers, or planar pixels of the patch) over the patch by `mask`."""
    target = planes[:, patch[0], patch[1]]
    ink = np.asarray(colour, np.float32)
    change = (ink.reshape(3, 1, 1) if ink.ndim == 1 else ink) - target
    change *= mask
    target += change


def stain(planes: Field, patch: Patch, mask: Field, colour: Colour) -> None:
    """Multiply the patch by `colour` where `mask` is 1, leave it where 0."""
    tint = np.asarray(colour, np.float32).reshape(3, 1, 1) - 1
    planes[:, patch[0], patch[1]] *= 1 + tint * mask


def clouds(rng: np.random.Generator, cells: int, size: int = SIZE) -> Field:
    """Smooth noise of about standard deviation 1, [size, size], with `cells` blobs across."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def above_curve(points: Sequence[Point], u: Field, v: Field, width: int) -> Field:
    """About the distance of (u, v) from a smoothed polyline, positive on its upper side.

    `points` rise in their first coordinate; `width` is how far, in 512ths of their span, corners
    are rounded.
    """
    xs, ys = np.asarray(points, np.float64).T
    steps = 512
    at = np.linspace(xs[0], xs[-1], steps)
    table = smooth(np.interp(at, xs, ys), width, "edge")
    flat = 1 / np.hypot(1, np.gradient(table, at))
    index = np.clip((u - float(xs[0])) * float((steps - 1) / (xs[-1] - xs[0])), 0, steps - 1)
    line = look_up(table.astype(np.float32), index)
    return (line - v) * look_up(flat.astype(np.float32), index)


def mix(a: Colour, b: Colour, share: float) -> tuple[float, float, float]:
    """The colour `share` of the way from a to b."""
    red, green, blue = (p + (q - p) * share for p, q in zip(a, b, strict=True))
    return float(red), float(green), float(blue)
