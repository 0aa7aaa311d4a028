"""Eyes, brows, mouth and whiskers, painted on the skin before it is lit."""

import numpy as np

from pipeline.faces_drawing.canvas import (
    Canvas,
    Field,
    box,
    clouds,
    cover,
    crop,
    look_up,
    mix,
    paint,
    spot,
    stain,
)
from pipeline.faces_drawing.traits import Traits

_WHITE = (0.93, 0.91, 0.89)
_INK = (0.10, 0.07, 0.06)


def draw_eyes(canvas: Canvas, face: Traits) -> None:
    """Both eyes: ball, iris, lids, lashes, make-up."""
    for side in (-1, 1):
        _eye(canvas, face, side)


def _eye(canvas: Canvas, face: Traits, side: int) -> None:
    half = face.eye_half
    centre = (side * face.eye_x, face.eye_y)
    patch = box(canvas, centre, half * 1.5, half * 1.3)
    # In units of the half length; e grows towards the temple.
    e = (canvas.u[patch] - centre[0]) * (side / half)
    f = (canvas.v[patch] - centre[1]) / half + face.eye_tilt * e
    px = canvas.px * half
    bow = np.clip(1 - e * e, 0, 1)
    opening = max(face.eye_open, 0.2)
    upper = -opening * bow ** np.float32(0.75) * (1 - 0.12 * e)
    lower = 0.62 * opening * bow * (1 + 0.12 * e)
    inside = cover(np.minimum(f - upper, lower - f), px, 1.3) * (np.abs(e) < 1)
    lid = np.clip(1 - np.abs(e) ** 3, 0, 1)

    if face.shadow:
        above = np.exp(-0.5 * ((f - upper + 0.22) / 0.22) ** 2) * lid
        stain(canvas.skin, patch, above * face.shadow, (0.66, 0.52, 0.58))
    crease = np.exp(-0.5 * ((f - upper + 0.30 - 0.13 * face.hooded) / 0.065) ** 2) * lid
    stain(canvas.skin, patch, crease * (0.42 + 0.25 * face.hooded), (0.62, 0.46, 0.42))

    ball = np.empty((3, *e.shape), np.float32)
    shade = 1 - 0.50 * np.exp(-np.clip(f - upper, 0, 2) / 0.16) - 0.16 * np.abs(e) ** 2
    for plane, tone in enumerate(mix(_WHITE, (0.88, 0.80, 0.68), 0.5 * face.pallor)):
        ball[plane] = tone * shade
    iris = face.iris / half
    gx = e - side * face.gaze[0] / half
    gy = f - face.gaze[1] / half + 0.05
    away = np.sqrt(gx * gx + gy * gy)
    disc = cover(iris - away, px, 1.6)
    ring = np.clip(1.25 - 0.75 * (away / iris) ** 4, 0.25, 1.3) * (0.75 + 0.5 * gy / iris * 0.5)
    everything = (slice(None), slice(None))
    paint(ball, everything, disc, np.asarray(face.eye_colour, np.float32).reshape(3, 1, 1)
          * ring * np.clip(shade + 0.15, 0, 1))  # fmt: skip
    paint(ball, everything, cover(0.44 * iris - away, px, 1.6), (0.03, 0.025, 0.025))
    paint(canvas.skin, patch, inside, ball)

    rim = np.exp(-0.5 * ((f - lower) / 0.07) ** 2) * bow
    stain(canvas.skin, patch, rim * 0.45, (0.72, 0.50, 0.47))
    thick = 0.045 + (0.03 + 0.08 * opening) * face.lashes
    wing = 1 + 0.55 * np.clip(e, 0, 1) * face.lashes
    near = np.clip(1.16 - np.abs(e), 0, 0.2) * 5
    line = np.exp(-0.5 * ((f - upper + 0.25 * thick) / (thick * wing)) ** 2) * near
    strength = min(0.50 + 0.5 * face.lashes, 1.0)
    paint(canvas.skin, patch, line * strength, mix(_INK, face.hair, 0.25))


def draw_glints(canvas: Canvas, face: Traits, light: tuple[float, float]) -> None:
    """The lamp mirrored in both eyes; after lighting, on the finished picture."""
    for side in (-1, 1):
        at = (
            side * face.eye_x + face.gaze[0] + 0.018 * float(np.sign(light[0])),
            face.eye_y + face.gaze[1] - 0.020,
        )
        patch, mask = spot(canvas, at, 0.0085, 0.0085)
        paint(canvas.picture, patch, mask * 0.9, (1.0, 1.0, 1.0))


def draw_brows(canvas: Canvas, face: Traits, strands: Field) -> None:
    """Brows as bands of slanting hairs, tapering outwards."""
    y0 = face.eye_y - face.brow_gap
    half = face.eye_half * 1.28
    for side in (-1, 1):
        centre = (side * (face.eye_x + 0.012), y0)
        patch = box(canvas, centre, half * 1.2, 0.12)
        e = (canvas.u[patch] - centre[0]) * (side / half)
        v = canvas.v[patch] - y0
        bow = (e - 0.2) ** 2 * np.where(e > 0.2, np.float32(1.5), np.float32(0.55))
        middle = face.brow_arch * (bow - 0.6)
        body = face.brow_thick * (1.02 - 0.55 * np.clip(e + 0.1, 0, 1.2))
        hair = look_up(strands, e * 26 + v * 190)
        ends = np.clip((1.0 - np.abs(e)) * 5, 0, 1)
        mask = cover(body - np.abs(v - middle), canvas.px, 3.4) * ends
        paint(canvas.skin, patch, mask * face.brow_ink * (0.80 + 0.16 * hair), face.brow_colour)


def draw_mouth(canvas: Canvas, face: Traits) -> None:
    """Lips, the line between them and, in an open smile, teeth."""
    half = face.mouth_half * (1 + 1.2 * max(face.smile, 0) + face.mouth_gap)
    patch = box(canvas, (0, face.mouth_y), half * 1.25, 0.2)
    m = canvas.u[patch] / half
    n = canvas.v[patch] - face.mouth_y
    px = canvas.px
    bow = np.clip(1 - m * m, 0, 1)
    line = -face.smile * 1.5 * m * m + 0.010 * np.exp(-0.5 * (m / 0.16) ** 2)
    gap = face.mouth_gap * np.sqrt(bow)
    bite = line - 0.25 * gap
    below = line + 0.75 * gap
    dip = (
        1
        - 0.30 * np.exp(-0.5 * (m / 0.12) ** 2)
        + 0.12 * np.exp(-0.5 * ((np.abs(m) - 0.30) / 0.16) ** 2)
    )
    top = bite - face.lip_upper * bow**0.8 * dip
    bottom = below + face.lip_lower * bow**0.65
    mouth = np.abs(m) < 1
    upper = cover(np.minimum(n - top, bite - n), px, 2.6) * mouth
    lower = cover(np.minimum(n - below, bottom - n), px, 2.6) * mouth
    paint(canvas.skin, patch, upper * 0.85, tuple(c * 0.80 for c in face.lip_colour))
    paint(canvas.skin, patch, lower * 0.85, face.lip_colour)
    canvas.relief[patch] += 0.020 * lower + 0.008 * upper
    if face.mouth_gap:
        inside = cover(np.minimum(n - bite, below - n), px, 1.3) * mouth
        paint(canvas.skin, patch, inside, (0.26, 0.09, 0.09))
        if face.grown > 0.1:
            rows = np.minimum(n - bite + 0.006, bite + 0.034 + 0.01 * bow - n)
            teeth = cover(rows, px, 2.0) * inside * np.clip((0.92 - np.abs(m)) * 6, 0, 1)
            paint(canvas.skin, patch, teeth, mix(_WHITE, (0.85, 0.76, 0.60), 0.6 * face.pallor))
    shut = np.exp(-0.5 * ((n - bite) / 0.0075) ** 2) * np.clip((1.05 - np.abs(m)) * 6, 0, 1)
    stain(canvas.skin, patch, shut * 0.9, (0.42, 0.26, 0.25))
    for side in (-1, 1):
        at = (side * half * 1.02, face.mouth_y - face.smile * 1.5)
        corner, mask = spot(canvas, at, 0.022, 0.018)
        stain(canvas.skin, corner, mask * 0.5, (0.60, 0.45, 0.42))


def draw_whiskers(canvas: Canvas, face: Traits, strands: Field, rng: np.random.Generator) -> None:
    """Stubble, moustache and beard on the skin."""
    if face.stubble <= 0 and face.beard <= 0 and face.moustache <= 0:
        return
    patch = box(canvas, (0, 0.40), 0.66, 0.48)
    canvas = crop(canvas, patch)
    u, v = np.abs(canvas.u), canvas.v
    edge = 0.018 * look_up(strands, u * 130)
    # The cheek line falls from the sideburns to the corners of the mouth.
    jaw = cover(v - (0.42 - 0.62 * np.clip(u - 0.18, 0, 1)) + edge, canvas.px, 12.0)
    lips = (u / (face.mouth_half * 1.02)) ** 2 + ((v - face.mouth_y - 0.005) / 0.085) ** 2
    jaw *= np.clip(lips * 2.2 - 1.6, 0, 1)
    top, bottom = face.nose_y + 0.075, face.mouth_y - 0.018
    # Thick under the nose, thinning and dropping towards the corners of the mouth.
    w = u / (face.mouth_half * 1.18)
    middle = (top + bottom) / 2 + 0.055 * w * w
    thick = (bottom - top) * 0.5 * (1.15 - 0.85 * w * w)
    lip = cover(thick - np.abs(v - middle) + 0.5 * edge, canvas.px, 5.0) * (w < 1.2)
    fuzz = clouds(rng, 110)[patch]
    tone = 0.5 + 0.5 * np.clip(fuzz, -1.5, 1.5)
    shadow = np.maximum(jaw, lip) * (face.stubble * 0.32)
    colour = mix(mix(face.hair, (0.16, 0.14, 0.14), 0.4), (0.6, 0.6, 0.62), 0.6 * face.beard_grey)
    everything = (slice(None), slice(None))
    paint(canvas.skin, everything, np.clip(shadow * (0.75 + 0.5 * tone), 0, 0.7), colour)
    full = np.maximum(jaw * face.beard, lip * max(face.moustache, 0.9 * face.beard))
    if face.beard <= 0 and face.moustache <= 0:
        return
    # Hairs lean outwards from the chin; crossed with noise, or they would look combed.
    fan = canvas.u / (1.6 - v) * 200 + 4.0 * fuzz
    threads = look_up(strands, fan) * 0.6 + 0.6 * fuzz
    grey = np.clip(face.beard_grey * 1.5 - 0.3 + 0.14 * threads, 0, 1)
    light = 0.90 + 0.20 * threads
    hair = np.empty_like(canvas.skin)
    for plane, (dark, pale) in enumerate(zip(face.hair, (0.78, 0.78, 0.78), strict=True)):
        hair[plane] = (dark + (pale - dark) * grey) * light
    paint(canvas.skin, everything, np.clip(full * (0.95 + 0.08 * threads), 0, 1), hair)
    canvas.relief += full * (0.014 + 0.003 * threads)
