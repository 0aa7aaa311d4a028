"""Skin: its colour, its relief, the signs of age in both, and how light falls on it."""

import numpy as np

from pipeline.faces_drawing.canvas import (
    Canvas,
    Field,
    Point,
    box,
    clouds,
    cover,
    paint,
    spot,
    stain,
    stroke,
)
from pipeline.faces_drawing.traits import Rgb, Traits

_BLOOD: Rgb = (1.05, 0.80, 0.78)
_SHADE: Rgb = (0.76, 0.64, 0.60)


def draw_skin(canvas: Canvas, face: Traits, rng: np.random.Generator) -> None:
    """Lay the skin's colour and the large forms of the face."""
    blotches = clouds(rng, 14) * 0.6 + clouds(rng, 34) * 0.5
    redness = blotches * (0.025 * face.ruddy)
    for plane, (tone, loss) in enumerate(zip(face.skin, (0.0, 1.0, 1.1), strict=True)):
        canvas.skin[plane] = tone - redness * (tone * loss)
    canvas.relief += blotches * (0.0028 * face.rough)
    _forms(canvas, face)
    for side in (-1, 1):
        _tint(canvas, (side * 0.33, 0.27), 0.14, 0.11, _BLOOD, 0.55 * face.blush)
        _tint(
            canvas,
            (side * face.eye_x, face.eye_y + 0.01),
            0.12,
            0.075,
            _SHADE,
            0.30 + 0.20 * face.hooded,
        )
        _tint(canvas, (side * 0.42, 0.34), 0.08, 0.16, _SHADE, 0.35 * face.hollow)
    _tint(canvas, (0, face.nose_y), 0.09, 0.06, _BLOOD, 0.45 * face.blush)
    _marks(canvas, face, rng)


def draw_wrinkles(canvas: Canvas, face: Traits, rng: np.random.Generator) -> None:
    """Lines and folds, each as a valley that the light then picks out."""

    def near(x: float, y: float, by: float = 0.012) -> Point:
        return x + float(rng.normal(0, by)), y + float(rng.normal(0, by))

    brow = face.eye_y - face.brow_gap
    for line in range(4):
        y = brow - 0.085 - 0.075 * line
        half = 0.30 - 0.03 * line + float(rng.normal(0, 0.03))
        depth = face.forehead_lines * float(rng.uniform(0.5, 1.0))
        _crease(canvas, near(-half, y), near(half, y), 0.028, 0.012, depth)
    nose_side = face.nose_half + 0.025
    for side in (-1, 1):
        _crease(canvas, near(side * 0.045, brow - 0.04, 0.006), near(side * 0.04, brow + 0.06),
                0.0, 0.010, 0.9 * face.frown_lines)  # fmt: skip
        outer = face.eye_x + face.eye_half
        for ray in range(3):
            tip = near(side * (outer + 0.13), face.eye_y - 0.06 + 0.075 * ray)
            root = (side * (outer + 0.025), face.eye_y - 0.012 + 0.02 * ray)
            _crease(canvas, root, tip, side * (0.01 - 0.01 * ray), 0.008, 0.75 * face.crows_feet)
        fold_end = near(side * (face.mouth_half + 0.065), face.mouth_y + 0.02)
        _crease(canvas, (side * nose_side, face.nose_y - 0.03), fold_end, -side * 0.035, 0.018,
                1.25 * face.folds)  # fmt: skip
        _crease(canvas, (side * (face.mouth_half + 0.035), face.mouth_y + 0.03),
                near(side * (face.mouth_half + 0.06), face.mouth_y + 0.20), -side * 0.01, 0.014,
                0.9 * face.marionette)  # fmt: skip
        _bag(canvas, face, side)
        for line in range(2):
            x = side * (0.30 + 0.09 * line)
            _crease(canvas, near(x, 0.20, 0.03), near(x - side * 0.02, 0.46, 0.03), -side * 0.03,
                    0.011, 0.55 * face.hollow)  # fmt: skip
    for line in range(5):
        x = (line - 2) * 0.062
        _crease(canvas, near(x, face.mouth_y - 0.10), near(x * 0.9, face.mouth_y - 0.04), 0.0,
                0.007, 0.45 * face.hollow)  # fmt: skip


def lit(canvas: Canvas, light: tuple[float, float], ambient: float) -> Field:
    """Planar RGB of the painted skin under a lamp at slopes `light` (x, y; negative y is above)."""
    relief = canvas.relief
    slope_x, slope_y = np.zeros_like(relief), np.zeros_like(relief)
    # The relief lies on the rolled head, the slopes on the sheet; the roll is small.
    slope_x[:, 1:-1] = (relief[:, 2:] - relief[:, :-2]) * (canvas.px / 2)
    slope_y[1:-1] = (relief[2:] - relief[:-2]) * (canvas.px / 2)
    np.clip(slope_x, -3, 3, out=slope_x)
    np.clip(slope_y, -3, 3, out=slope_y)
    facing = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    direct = np.clip((1 - slope_x * light[0] - slope_y * light[1]) * facing, 0, 1.35)
    # The rim turns away from the camera and from most of the room.
    shade = ambient * (0.62 + 0.38 * facing) + (1 - ambient) * direct
    picture = np.empty_like(canvas.skin)
    # Light scatters inside skin, red the furthest, so shadows are warm.
    for plane, floor in enumerate((0.12, 0.02, 0.0)):
        picture[plane] = canvas.skin[plane] * (floor + (1 - floor) * shade)
    gloss = np.clip(direct - 0.94, 0, 1)
    picture += gloss * 0.35
    return picture


def draw_ears(canvas: Canvas, face: Traits, shade: float) -> None:
    """Both ears, behind the head."""
    colour = tuple(c * t * shade for c, t in zip(face.skin, (0.92, 0.83, 0.80), strict=True))
    inner = tuple(c * 0.72 for c in colour)
    widths, heights = zip(*face.outline, strict=True)
    rim = float(np.interp(face.eye_y + 0.14, heights, widths))
    height = 0.135 * face.ears
    for side in (-1, 1):
        # A turned head hides the ear it turns away from.
        x = side * (rim + 0.015) - 0.35 * canvas.pose.yaw
        patch = box(canvas, (x, face.eye_y + 0.14), 0.12 * face.ears, height)
        a = (canvas.x[patch] - x - side * 0.02) / (0.075 * face.ears)
        b = (canvas.y[patch] - face.eye_y - 0.14) / height
        inside = 1 - np.sqrt(a * a + b * b)
        paint(canvas.picture, patch, cover(inside * 0.075, canvas.px, 1.5), colour)
        paint(canvas.picture, patch, cover((inside - 0.42) * 0.075, canvas.px, 6.0) * 0.7, inner)


def _forms(canvas: Canvas, face: Traits) -> None:
    """Sockets, brow ridge, cheekbones, nose, chin, jowls: bumps and hollows in the relief."""
    _bump(canvas, (0, -0.45), 0.28, 0.16, 0.025)
    _bump(canvas, (0, face.mouth_y), 0.21, 0.14, 0.045)
    _bump(canvas, (0, face.mouth_y + 0.19), 0.10, 0.07, 0.040 * (0.5 + 0.5 * face.grown))
    _bump(canvas, (0, face.mouth_y + 0.105), 0.12, 0.03, -0.022)
    _bump(canvas, (0, face.nose_y + 0.10), 0.022, 0.05, -0.010)
    brow = face.eye_y - face.brow_gap
    for side in (-1, 1):
        _bump(canvas, (side * face.eye_x * 0.95, face.eye_y - 0.02), 0.12, 0.075, -0.060)
        _bump(canvas, (side * 0.20, brow - 0.01), 0.13, 0.04, 0.028 * face.brow_ridge)
        _bump(canvas, (side * 0.34, 0.17), 0.11, 0.09, 0.030)
        _bump(canvas, (side * 0.33, 0.33), 0.11, 0.10, 0.050 * (1 - face.grown))
        _bump(canvas, (side * 0.36, 0.36), 0.08, 0.11, -0.055 * face.hollow)
        _bump(canvas, (side * 0.36, 0.56), 0.08, 0.075, 0.042 * face.jowls)
    _nose(canvas, face)


def _nose(canvas: Canvas, face: Traits) -> None:
    high = face.nose_high
    top = face.eye_y - 0.03
    middle = (top + face.nose_y) / 2
    _bump(canvas, (0, middle), 0.042, 0.17, 0.045 * high)
    _bump(canvas, (0, face.nose_y - 0.015), 0.052, 0.055, 0.062 * (0.55 + 0.45 * high))
    for side in (-1, 1):
        _bump(canvas, (side * face.nose_half * 0.72, face.nose_y + 0.008), 0.034, 0.036, 0.030)
        _tint(canvas, (side * face.nose_half * 0.98, face.nose_y), 0.020, 0.05, _SHADE, 0.26)
        _tint(canvas, (side * 0.062, middle), 0.03, 0.12, _SHADE, 0.20 * high)
        hole = (side * face.nose_half * 0.46, face.nose_y + 0.042)
        patch, mask = spot(canvas, hole, 0.024, 0.0115)
        stain(canvas.skin, patch, mask, (0.38, 0.26, 0.24))
    _tint(canvas, (0, face.nose_y + 0.058), face.nose_half * 0.55, 0.020, _SHADE, 0.60)


def _bag(canvas: Canvas, face: Traits, side: int) -> None:
    inner = (side * (face.eye_x - face.eye_half * 0.9), face.eye_y + 0.055)
    outer = (side * (face.eye_x + face.eye_half * 0.8), face.eye_y + 0.060)
    _crease(canvas, inner, outer, -side * 0.045, 0.013, 0.8 * face.bags)
    _bump(canvas, (side * face.eye_x, face.eye_y + 0.085), 0.07, 0.022, 0.012 * face.bags)
    _tint(canvas, (side * face.eye_x * 0.95, face.eye_y + 0.085), 0.085, 0.028, _SHADE,
          0.45 * face.bags)  # fmt: skip


def _marks(canvas: Canvas, face: Traits, rng: np.random.Generator) -> None:
    """Age spots and freckles."""
    for _ in range(face.spots):
        size = float(rng.uniform(0.010, 0.030))
        at = (float(rng.normal(0, 0.33)), float(rng.normal(-0.05, 0.36)))
        _tint(canvas, at, size, size * float(rng.uniform(0.6, 1)), (0.70, 0.58, 0.48),
              float(rng.uniform(0.4, 0.9)))  # fmt: skip
    for _ in range(face.freckles):
        at = (float(rng.normal(0, 0.24)), float(rng.normal(0.17, 0.07)))
        _tint(canvas, at, 0.009, 0.009, (0.80, 0.62, 0.50), float(rng.uniform(0.4, 0.9)))


def _bump(canvas: Canvas, centre: Point, rx: float, ry: float, height: float) -> None:
    patch, mask = spot(canvas, centre, rx, ry)
    canvas.relief[patch] += mask * height


def _tint(
    canvas: Canvas, centre: Point, rx: float, ry: float, colour: Rgb, strength: float
) -> None:
    if strength < 0.02:
        return
    patch, mask = spot(canvas, centre, rx, ry)
    stain(canvas.skin, patch, mask * min(strength, 1.0), colour)


def _crease(
    canvas: Canvas, start: Point, end: Point, bend: float, width: float, strength: float
) -> None:
    if strength < 0.03:
        return
    width *= 1 + 0.25 * min(strength, 1.6)  # deep folds are also broad
    patch, mask = stroke(canvas, start, end, bend, width)
    canvas.relief[patch] -= mask * (0.65 * width * min(strength, 1.8))
    stain(canvas.skin, patch, mask * min(0.50 * strength, 0.75), _SHADE)
