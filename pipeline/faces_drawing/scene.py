"""What surrounds a face, and the camera: background, neck and clothes, worn things, the picture."""

import numpy as np
from PIL import Image, ImageFilter

from pipeline.faces_drawing.canvas import (
    SHEET_X,
    SHEET_Y,
    SIZE,
    Canvas,
    box,
    clouds,
    cover,
    mix,
    paint,
    spot,
    stain,
)
from pipeline.faces_drawing.traits import Traits

_ALL = (slice(None), slice(None))
_SENSOR_MAX = 200.0  # of 255: what a fully lit white surface gives, so that highlights survive
_WARM = (0.10, 0.0, -0.02)  # shadows on skin are warm


def draw_background(canvas: Canvas, rng: np.random.Generator) -> None:
    """An out-of-focus room: a gradient, blurred masses, now and then an edge."""
    small = SIZE // 4  # nothing here is sharp
    x, y = SHEET_X[2::4, 2::4], SHEET_Y[2::4, 2::4]
    room = np.zeros((3, small, small), np.float32)
    first, second, third = rng.uniform(0.08, 0.95, (3, 3))
    first, second, third = (mix(c, (c.mean(),) * 3, 0.68) for c in (first, second, third))
    angle = float(rng.uniform(0, 2 * np.pi))
    across = x * float(np.cos(angle)) + y * float(np.sin(angle))
    paint(room, _ALL, np.ones_like(across), first)
    paint(room, _ALL, np.clip(0.5 + 0.45 * across, 0, 1), second)
    masses = clouds(rng, int(rng.integers(3, 7)), small)
    paint(room, _ALL, np.clip(0.5 * masses, 0, 0.7), third)
    if rng.random() < 0.4:
        edge = (across - float(rng.uniform(-0.6, 0.6))) * float(rng.uniform(4, 25))
        paint(room, _ALL, np.clip(edge, 0, 1) * float(rng.uniform(0.2, 0.7)), third)
    for plane, coarse in zip(canvas.picture, room, strict=True):
        plane[:] = Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BILINEAR)


def draw_body(canvas: Canvas, face: Traits, chin: float, shade: float) -> None:
    """Neck, shoulders and clothes, upright below the rolled head."""
    pose = canvas.pose
    start = int(np.clip((pose.shift_y + pose.scale * (chin - 0.35) + 1) * SIZE / 2, 0, SIZE - 1))
    patch = (slice(start, SIZE), slice(0, SIZE))
    x = np.abs(SHEET_X[patch] - pose.shift_x + 0.5 * pose.roll) / pose.scale
    y = (SHEET_Y[patch] - pose.shift_y) / pose.scale
    neck = face.neck_half - 0.10 * np.clip(0.4 - 2 * np.abs(y - chin), 0, 1)
    neck += 0.7 * np.clip(y - chin, 0, 1) ** 2
    under = 1 - 0.48 * np.exp(-np.clip(y - chin + 0.02, 0, 1) / 0.13)
    tone = under * shade * (1 - 0.45 * np.clip(x / neck, 0, 1) ** 3)
    fade = face.neck_bands * np.clip((y - chin - 0.02) * 8, 0, 1)
    tone *= 1 - 0.10 * fade * np.exp(-0.5 * ((x - 0.10) / 0.03) ** 2)
    tone *= 1 - 0.08 * fade * np.exp(-0.5 * ((y - chin - 0.11 + 0.3 * x * x) / 0.016) ** 2)
    skin = np.stack([tone * (c + d * (1 - tone)) for c, d in zip(face.skin, _WARM, strict=True)])
    paint(canvas.picture, patch, cover(neck - x, canvas.px, 1.6), skin)
    collar = np.exp(-((x / (0.24 + 0.08 * face.collar)) ** 2)) * (0.3 + face.collar)
    shoulder = chin + 0.14 + 0.05 * face.collar + 0.30 * (x / face.shoulders) ** 2 + 0.12 * collar
    light = shade * (0.95 - 0.25 * x - 0.35 * np.exp(-np.clip(y - shoulder, 0, 1) / 0.03))
    cloth = np.stack([tone * light for tone in mix(face.clothes, (0.4, 0.4, 0.42), 0.45)])
    paint(canvas.picture, patch, cover(y - shoulder, canvas.px, 1.6), cloth)


def draw_worn(canvas: Canvas, face: Traits) -> None:
    """Glasses and earrings."""
    if face.earrings:
        for side in (-1, 1):
            at = (side * 0.575, face.eye_y + 0.33)
            patch, mask = spot(canvas, at, 0.020, 0.026)
            paint(canvas.picture, patch, np.clip(mask * 1.6, 0, 1), (0.86, 0.74, 0.42))
    if not face.glasses:
        return
    patch = box(canvas, (0, face.eye_y), 0.6, 0.25)
    u, v = canvas.u[patch], canvas.v[patch]
    half_x, half_y = face.eye_half * 1.42, face.eye_half * 1.05
    dark = 0.08 + 0.35 * face.clothes[0]
    wire = 0.008 + 0.010 * face.glasses
    a = (np.abs(u) - face.eye_x) / half_x
    b = (v - face.eye_y - 0.015) / half_y
    lens = (a**4 + b**4) ** np.float32(0.25)
    rim = cover(wire - np.abs(1 - lens) * half_y, canvas.px, 1.6)
    arch = v - face.eye_y + 0.03 + 0.02 * np.cos(u * 12)
    bridge = cover(wire - np.abs(arch), canvas.px, 1.6) * (np.abs(u) < face.eye_x - half_x)
    temples = cover(wire - np.abs(v - face.eye_y + 0.02), canvas.px, 1.6)
    temples *= (np.abs(u) > face.eye_x + half_x) & (canvas.reach[patch] < 1.02)
    stain(canvas.picture, patch, np.clip((1 - lens) * 8, 0, 1), (0.94, 0.95, 0.97))
    frame = np.maximum(np.maximum(rim, bridge), temples) * 0.92
    paint(canvas.picture, patch, frame, (dark, 0.85 * dark, 0.8 * dark))


def photograph(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """What a camera makes of it: vignette, sensor noise, exposure, colour, contrast, blur."""
    picture = canvas.picture
    picture *= _SENSOR_MAX * (
        1 - float(rng.uniform(0, 0.22)) * (SHEET_X * SHEET_X + SHEET_Y * SHEET_Y)
    )
    noise = canvas.grain * (_SENSOR_MAX * float(rng.gamma(2.0, 0.005)))
    for plane, step in zip(picture, rng.integers(0, SIZE, 3), strict=True):
        plane += np.roll(noise, int(step), axis=0)
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    image = Image.merge("RGB", [Image.fromarray(plane) for plane in pixels])
    image = image.point(_tone_curves(rng))
    if rng.random() < 0.03:
        image = image.convert("L").convert("RGB")
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.2, 1.3))))
    return image


def _tone_curves(rng: np.random.Generator) -> list[int]:
    """Exposure, colour temperature and contrast as three look-up tables of 256 entries."""
    warmth = float(rng.normal(0, 0.06))
    exposure = float(np.exp(rng.normal(0.02, 0.16)))
    contrast = float(rng.normal(1.0, 0.10))
    gains = np.asarray(((1 + warmth,), (1,), (1 - warmth,))) * exposure
    level = gains * (np.arange(256) / _SENSOR_MAX)
    level = level + (level - 0.45) * (contrast - 1)
    # A soft shoulder instead of clipped highlights.
    over = np.clip(level - 0.8, 0, None)
    level = level - over + 0.2 * over / (over + 0.2)
    return [int(value) for value in (np.clip(level, 0, 1) * 255 + 0.5).ravel()]
