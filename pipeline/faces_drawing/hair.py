"""Hair: where it grows, how it falls and how it shines."""

import numpy as np

from pipeline.faces_drawing.canvas import (
    SIZE,
    Canvas,
    Field,
    Patch,
    above_curve,
    box,
    clouds,
    cover,
    crop,
    look_up,
    paint,
    smooth,
)
from pipeline.faces_drawing.traits import Traits

_ALL = (slice(None), slice(None))
_WHITE = 0.76
_EAR = 0.05  # y below which hair hangs free of the skull


def make_strands(rng: np.random.Generator) -> Field:
    """A loop of 2,048 strand brightnesses, standard deviation about 1, fine hairs in locks."""
    fine = smooth(rng.standard_normal(2048), 2, "wrap")
    coarse = smooth(rng.standard_normal(2048), 9, "wrap")
    strands = fine / fine.std() * 0.55 + coarse / coarse.std() * 0.8
    return strands.astype(np.float32)


def draw_hair_behind(canvas: Canvas, face: Traits, texture: Field) -> None:
    """The dark inside of long hair, behind neck and face."""
    if face.length < 0.2 or face.swept:
        return
    width = _hanging_width(canvas, face, texture)
    mask = cover(np.minimum(width - np.abs(canvas.x), _ends(canvas, face, texture)), canvas.px, 2.0)
    mask *= canvas.y > -0.3
    paint(canvas.picture, _ALL, mask, tuple(0.45 * c for c in _tone(face)))


def draw_hair(
    canvas: Canvas, face: Traits, texture: Field, light: tuple[float, float], ambient: float
) -> None:
    """Hair over skull, temples and, when long, down both sides."""
    cap = _cap(canvas, face, texture)
    mask = cap
    if face.length >= 0.2 and not face.swept:
        mask = np.maximum(mask, _locks(canvas, face, texture))
    if face.swept:
        mask = np.maximum(mask, _bun(canvas, face, texture))
    # A soft shadow of the hair on the forehead.
    fall = np.zeros_like(cap)
    drop = max(2, int(0.035 * canvas.px))
    fall[drop:] = cap[:-drop]
    canvas.picture *= 1 - 0.22 * np.clip(fall - mask, 0, 1) * (canvas.reach < 1)
    paint(canvas.picture, _ALL, mask, _shine(canvas, face, texture, light, ambient))


def hair_region(canvas: Canvas, face: Traits) -> Patch:
    """The pixels that hair can reach."""
    if face.length >= 0.2:
        return slice(0, SIZE), slice(0, SIZE)
    return box(canvas, (0, -0.6), 0.8, 0.9)


def strand_texture(
    canvas: Canvas, patch: Patch, face: Traits, strands: Field, rng: np.random.Generator
) -> Field:
    """Brightness of the strand under each pixel: lines that fall from the parting, waves, curls."""
    canvas = crop(canvas, patch)
    warp = clouds(rng, 9)[patch]
    sway = face.waves * (0.012 * np.sin(canvas.y * 13 + 3 * warp) + 0.012 * warp)
    # Two layers that take turns on top, or every strand would run unbroken from crown to tip.
    over = np.clip(0.5 + 0.8 * warp, 0, 1)
    lines: Field = np.zeros_like(warp)
    for share, part, root in ((over, face.part, 1.5), (1 - over, 0.4 * face.part, 2.1)):
        fan = (canvas.x + sway - part) / (canvas.y + root) + 0.006 * warp
        lines = lines + share * look_up(strands, fan * (150 * root))
    if face.curl < 0.25:
        return lines
    curls = clouds(rng, 44)[patch] * 0.9 + clouds(rng, 90)[patch] * 0.5
    return lines * (1 - face.curl) + curls * face.curl


def _tone(face: Traits) -> tuple[float, ...]:
    return tuple(c + (_WHITE - c) * face.grey for c in face.hair)


def _cap(canvas: Canvas, face: Traits, texture: Field) -> Field:
    """Coverage of the hair that grows on the skull and falls over the forehead."""
    ragged = 0.007 + 0.018 * face.curl
    hangs = face.length >= 0.2 and not face.swept
    lift = np.float32(1.0) if hangs else np.clip((_EAR + 0.10 - canvas.y) * 1.6, 0, 1)
    volume = (face.volume_side + (face.volume_top - face.volume_side) * np.clip(
        -canvas.y * 1.35, 0, 1)) * lift  # fmt: skip
    outer = (
        1 + volume + ragged * np.clip(texture, -1.2, 1.2) * lift - canvas.reach
    ) * canvas.radius
    side = 0.10 if hangs else max(face.length, -0.12)
    top = face.hairline
    # A fringe hangs to the brows; a receding line climbs at the temples first, then everywhere.
    low = top + face.fringe * (face.eye_y - face.brow_gap - top - 0.03)
    climb = 0.20 * face.recession
    lost = 0.55 * face.bald
    wide = 0.035 if face.swept else 0.0
    points = [(-1.2, side), (-0.56, side), (-0.525 - wide, -0.12), (-0.455, -0.30 - 0.3 * lost),
              (-0.36, top + 0.09 - climb - lost), (-0.22, low + 0.02 - climb - lost),
              (0.0, low - 0.25 * climb - 0.95 * lost),
              (0.22, low + 0.02 - climb - lost), (0.36, top + 0.09 - climb - lost),
              (0.455, -0.30 - 0.3 * lost), (0.525 + wide, -0.12), (0.56, side),
              (1.2, side)]  # fmt: skip
    if hangs and face.fringe == 0:
        # Long hair opens at the parting and hides the temples.
        points = [(u, v if abs(u) < 0.2 or abs(u) > 0.53 else v + 0.07) for u, v in points]
        points = [(u, v - 0.10 * float(np.exp(-(((u - face.part) / 0.16) ** 2))))
                  for u, v in points]  # fmt: skip
    inside = above_curve(points, canvas.u, canvas.v, width=14)
    inside += (0.016 + 0.03 * face.fringe) * texture * (canvas.v < -0.05)
    soft = 2.6 + 5.0 * (1 - face.cover) + 3.0 * (face.length < 0.2)
    thin = np.clip(face.cover + 0.25 * (face.cover - 0.5) * texture, 0, 1)
    if face.cover < 0.95:
        thin = np.clip(thin + (1 - face.cover) * 0.45 * texture, 0, 1)
    left: Field = np.ones_like(inside)
    if face.bald > 0.3:
        # What is left is a wreath: thin above the temples, gone on top.
        gone = min(1.0, (face.bald - 0.3) * 6)
        left = 1 - gone * np.clip((-0.22 - canvas.v + 0.03 * texture) / 0.22, 0, 1)
    return cover(np.minimum(outer, inside), canvas.px, soft) * thin * left


def _hanging_width(canvas: Canvas, face: Traits, texture: Field) -> Field:
    """Half width of the fall of long hair at each pixel's height."""
    start = _width_at_ears(face) * (1 + face.volume_side)
    down = np.clip((canvas.y + 0.05) / 1.0, 0, 1)
    wave = 0.03 * face.waves * np.sin(canvas.y * 11 + 1.5 * np.sign(canvas.x))
    return start + face.flare * down + wave * down + (0.012 + 0.03 * face.curl) * texture


def _width_at_ears(face: Traits) -> float:
    widths, heights = zip(*face.outline, strict=True)
    return float(np.interp(0.0, heights, widths))


def _ends(canvas: Canvas, face: Traits, texture: Field) -> Field:
    return face.length - canvas.y + 0.03 * texture


def _locks(canvas: Canvas, face: Traits, texture: Field) -> Field:
    """Coverage of the hair hanging on both sides of face and neck."""
    inner = 0.95 * _width_at_ears(face) - 0.10 * np.clip(canvas.y - 0.05, 0, 0.9) + 0.01 * texture
    across = np.minimum(_hanging_width(canvas, face, texture) - np.abs(canvas.x),
                        np.abs(canvas.u) - inner)  # fmt: skip
    return cover(np.minimum(across, _ends(canvas, face, texture)), canvas.px, 2.2) * (
        canvas.y > -0.04
    )


def _bun(canvas: Canvas, face: Traits, texture: Field) -> Field:
    """Coverage of a knot tied behind the crown."""
    a, b = (canvas.x - 0.4 * face.part) / 0.24, (canvas.y + 0.93) / 0.17
    return cover((1 - np.sqrt(a * a + b * b)) * 0.2 + 0.012 * texture, canvas.px, 2.0)


def _shine(
    canvas: Canvas, face: Traits, texture: Field, light: tuple[float, float], ambient: float
) -> Field:
    """Planar RGB of the hair: strands, light, a soft band of gloss, greying strand by strand."""
    swell = 1 / (1.12 * canvas.radius)
    nx, ny = canvas.x * swell, np.clip(canvas.y, -1, 0.2) * swell
    nz = np.sqrt(np.clip(1 - nx * nx - ny * ny, 0.03, 1))
    direct = np.clip(nz + 0.9 * (nx * light[0] + ny * light[1]), 0, 1.4)
    shade = 0.30 + 0.35 * ambient + (0.75 - 0.35 * ambient) * direct
    shade *= 1 + 0.16 * texture
    band = np.exp(-0.5 * ((canvas.reach - 0.86 + 0.1 * light[0] * canvas.x) / 0.10) ** 2)
    gloss = band * direct * np.clip(0.55 + 0.5 * texture, 0, 2) * (0.14 * (1 - 0.6 * face.curl))
    gloss *= canvas.y < 0.1
    grey = np.clip(face.grey * 1.2 - 0.1 + 0.17 * texture * min(1.0, 3 * face.grey), 0, 1)
    hair = np.empty_like(canvas.picture)
    for plane, dark in enumerate(face.hair):
        hair[plane] = (dark + (_WHITE - dark) * grey) * shade + gloss
    return hair
