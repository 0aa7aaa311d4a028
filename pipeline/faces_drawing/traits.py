"""What a face looks like, drawn at random from age, gender and race.

Every cue is drawn from an age and a gender expression blurred on their own, so cues agree only
on average and no single one gives a label away. Race moves skin tone, hair and eye colour a
little, with wide overlap, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.faces_drawing.canvas import Pose, mix

Rgb = tuple[float, float, float]

# From light to dark; race only shifts where on this ramp a face is likely to lie.
_SKIN_RAMP: tuple[Rgb, ...] = (
    (0.965, 0.835, 0.765),
    (0.930, 0.770, 0.675),
    (0.870, 0.690, 0.565),
    (0.775, 0.575, 0.440),
    (0.650, 0.455, 0.335),
    (0.510, 0.345, 0.255),
    (0.380, 0.255, 0.195),
)
_SKIN_MEAN = (0.17, 0.74, 0.25, 0.52, 0.38)
_SKIN_SPREAD = (0.11, 0.13, 0.11, 0.14, 0.18)

_HAIR: tuple[Rgb, ...] = (
    (0.075, 0.065, 0.065),  # black
    (0.165, 0.105, 0.080),  # dark brown
    (0.310, 0.195, 0.125),  # brown
    (0.700, 0.540, 0.330),  # blond
    (0.480, 0.215, 0.105),  # red
)
_HAIR_ODDS = (
    (0.12, 0.32, 0.30, 0.20, 0.06),
    (0.70, 0.24, 0.04, 0.01, 0.01),
    (0.58, 0.32, 0.08, 0.01, 0.01),
    (0.60, 0.32, 0.06, 0.01, 0.01),
    (0.35, 0.38, 0.20, 0.05, 0.02),
)
_GREY: Rgb = (0.74, 0.74, 0.75)

_EYES: tuple[Rgb, ...] = (
    (0.20, 0.12, 0.08),
    (0.36, 0.23, 0.12),
    (0.36, 0.42, 0.28),
    (0.36, 0.50, 0.62),
)
_EYE_ODDS_LIGHT = (0.30, 0.27, 0.17, 0.26)
_EYE_ODDS_DARK = (0.72, 0.24, 0.03, 0.01)


@dataclass(frozen=True, slots=True)
class Traits:
    """One face. Lengths in face units, strengths and shares in 0..1 unless said otherwise."""

    pose: Pose
    outline: tuple[tuple[float, float], ...]  # right half, crown to chin
    grown: float  # 0 newborn, 1 adult
    skin: Rgb
    pallor: float  # loss of blood colour with age
    blush: float
    ruddy: float  # unevenness of the skin's colour
    spots: int
    freckles: int
    # Signs of age.
    forehead_lines: float
    frown_lines: float
    crows_feet: float
    folds: float  # from nose to mouth
    marionette: float
    bags: float
    hollow: float  # cheeks
    jowls: float
    rough: float  # skin texture
    neck_bands: float
    # Eyes and brows.
    eye_x: float
    eye_y: float
    eye_half: float
    eye_open: float  # opening over half length
    eye_tilt: float
    eye_colour: Rgb
    iris: float
    gaze: tuple[float, float]
    hooded: float
    lashes: float
    shadow: float  # eye make-up
    brow_gap: float
    brow_thick: float
    brow_arch: float
    brow_ink: float
    brow_colour: Rgb
    brow_ridge: float
    # Nose, mouth, ears.
    nose_y: float
    nose_half: float
    nose_high: float
    mouth_y: float
    mouth_half: float
    lip_upper: float
    lip_lower: float
    lip_colour: Rgb
    smile: float
    mouth_gap: float  # open mouth, 0 closed
    ears: float
    # Hair.
    hair: Rgb
    grey: float
    hairline: float  # y of its middle
    recession: float
    bald: float
    cover: float  # how well the hair hides the skin
    volume_top: float
    volume_side: float
    length: float  # y of its ends; below 0.2 it ends above the ear
    flare: float
    waves: float
    curl: float
    fringe: float
    part: float  # x of the parting
    swept: bool  # tied or combed back from the face
    # Beard.
    stubble: float
    beard: float
    moustache: float
    beard_grey: float
    # Worn.
    neck_half: float
    shoulders: float
    glasses: float
    earrings: float
    clothes: Rgb
    collar: float


def _ramp(value: float, low: float, high: float) -> float:
    """0 below `low`, 1 above `high`, smooth between."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _skin_tone(rng: np.random.Generator, race: int) -> tuple[Rgb, float]:
    """An RGB skin colour and where on the ramp, 0 light to 1 dark, it lies."""
    at = float(np.clip(rng.normal(_SKIN_MEAN[race], _SKIN_SPREAD[race]), 0, 1))
    step = at * (len(_SKIN_RAMP) - 1)
    low = min(int(step), len(_SKIN_RAMP) - 2)
    red, green, blue = mix(_SKIN_RAMP[low], _SKIN_RAMP[low + 1], step - low)
    warmth = float(rng.normal(0, 0.015))
    return (red + warmth, green, blue - warmth), at


def _outline(
    rng: np.random.Generator, grown: float, male: float, jowls: float, gaunt: float
) -> tuple[tuple[float, float], ...]:
    """Crown, temples, cheeks, jaw and chin of the right half."""
    wide = 1 + float(rng.normal(0, 0.035))
    full = float(rng.normal(0, 0.03)) + 0.065 * jowls - 0.03 * gaunt
    jaw = float(rng.normal(0, 0.014)) + 0.042 * male * grown
    long = 0.025 * male * grown + float(rng.normal(0, 0.02))
    baby = ((0.0, -0.83), (0.34, -0.75), (0.565, -0.46), (0.61, -0.08), (0.615, 0.20),
            (0.52, 0.45), (0.33, 0.605), (0.14, 0.66), (0.0, 0.665))  # fmt: skip
    adult = ((0.0, -0.80), (0.31, -0.73), (0.505, -0.44), (0.55, -0.08), (0.525, 0.20),
             (0.415, 0.49), (0.265, 0.69), (0.12, 0.785), (0.0, 0.80))  # fmt: skip
    soft = (0.0, 0.0, 0.0, 0.2, 0.6, 1.0, 0.8, 0.2, 0.0)
    square = (0.0, 0.0, 0.0, 0.2, 0.5, 1.0, 1.3, 1.0, 0.0)
    down = (0.0, 0.0, 0.0, 0.0, 0.1, 0.4, 0.8, 1.0, 1.0)
    rows = zip(baby, adult, soft, square, down, strict=True)
    return tuple(
        (
            (bx + (ax - bx) * grown) * wide + s * full + c * jaw,
            by + (ay - by) * grown + d * long,
        )
        for (bx, by), (ax, ay), s, c, d in rows
    )


def _pick(rng: np.random.Generator, odds: Sequence[float]) -> int:
    return int(np.searchsorted(np.cumsum(odds), rng.random() * sum(odds), side="right"))


def _hair_shape(
    rng: np.random.Generator, age: float, male: float, grown: float
) -> dict[str, float]:
    """Length, volume, parting, fringe: the style, before thinning and greying."""
    style: dict[str, float] = {}
    long_odds = 0.5 - 0.45 * float(np.tanh(1.8 * male))
    if age < 2.5:
        long_odds *= 0.45
    elif age > 62:
        long_odds *= 0.6
    is_long = rng.random() < long_odds
    style["part"] = float(rng.choice((-1, 1)) * rng.uniform(0.02, 0.3))
    style["fringe"] = 0.0
    if is_long and age >= 1.5:
        style["length"] = float(rng.choice((0.55, 0.75, 1.2, 1.3)) + rng.normal(0, 0.08))
        style["volume_top"] = float(rng.uniform(0.06, 0.16))
        style["volume_side"] = float(rng.uniform(0.06, 0.20))
        style["swept"] = float(rng.random() < 0.22)
        if rng.random() < 0.28 and not style["swept"]:
            style["fringe"] = float(rng.uniform(0.6, 1.0))
    else:
        style["length"] = float(np.clip(rng.normal(0.0, 0.05), -0.12, 0.14))
        style["volume_top"] = float(rng.uniform(0.05, 0.20)) * (0.4 + 0.6 * _ramp(age, 0.5, 4))
        style["volume_side"] = float(rng.uniform(0.015, 0.06)) + (0.05 if male < 0 else 0.0)
        style["swept"] = 0.0
        if rng.random() < 0.45 - 0.3 * grown:
            style["fringe"] = float(rng.uniform(0.3, 0.8))
    style["flare"] = float(rng.uniform(0.0, 0.16))
    style["waves"] = float(max(0.0, rng.normal(0.35, 0.4)))
    style["curl"] = float(np.clip(rng.normal(0.15, 0.35), 0, 1))
    return style


def draw_traits(rng: np.random.Generator, age: int, gender: int, race: int) -> Traits:
    """One face of this age (years), gender (0 male, 1 female) and race code.

    Everyone's apparent age strays from the true one by about a tenth, and each cue's from that.
    """
    looks = max(0.0, age * (1 + rng.normal(0, 0.06)) + rng.normal(0, 0.4))

    def seen() -> float:
        return float(max(0.0, looks * (1 + rng.normal(0, 0.09)) + rng.normal(0, 0.4)))

    maturity = float(np.interp(looks, (0, 8, 13, 19), (0.55, 0.75, 0.9, 1.0)))
    expression = float((1 if gender == 0 else -1) * maturity + rng.normal(0, 0.25))

    def male(spread: float = 0.30) -> float:
        return float(np.clip(expression + rng.normal(0, spread), -1.6, 1.6))

    def normal(mean: float, spread: float) -> float:
        return float(rng.normal(mean, spread))

    def sign(low: float, high: float) -> float:
        """How far an age sign that comes in between these years has come, 0 to about 1.2."""
        return _ramp(seen(), low, high) * float(rng.uniform(0.75, 1.25))

    grown = float(np.interp(looks, (0, 1, 3, 6, 10, 14, 19), (0, 0.1, 0.27, 0.46, 0.65, 0.85, 1)))
    jowls = sign(36, 74)
    gaunt = sign(56, 90)

    def line(low: float, high: float) -> float:
        """A wrinkle's depth: it goes on deepening as the face loses its padding."""
        return sign(low, high) * (1 + 0.5 * gaunt)

    skin, dark = _skin_tone(rng, race)
    pallor = sign(40, 82)
    skin = mix(skin, (sum(skin) / 3 * 1.04, sum(skin) / 3, sum(skin) / 3 * 0.9), 0.45 * pallor)
    hair = _HAIR[_pick(rng, _HAIR_ODDS[race])]
    hair = mix(hair, (0.30, 0.2, 0.13), float(rng.uniform(0, 0.3)))
    if grown < 0.6 and dark < 0.35:
        hair = mix(hair, (0.78, 0.62, 0.42), float(rng.uniform(0, 0.6)) * (1 - grown))
    grey = _ramp(seen(), 32, 68) * float(rng.uniform(0.75, 1.15))
    dyed = expression < 0 and rng.random() < 0.28 * (1 - _ramp(looks, 50, 75))
    style = _hair_shape(rng, looks, male(0.35), grown)
    adult_male = max(0.0, male(0.3)) * _ramp(looks, 15, 21)
    bald = 0.0
    if adult_male > 0.25 and rng.random() < 0.62 * _ramp(looks, 24, 72):
        bald = float(rng.uniform(0.25, 1.0)) * _ramp(seen(), 22, 58)
    whiskers = float(rng.random()) if adult_male > 0.3 else 1.0
    lipstick = male() < -0.1 and rng.random() < 0.55 * _ramp(looks, 14, 20)
    lip = mix(skin, (0.72, 0.32, 0.32), 0.42 - 0.15 * dark - 0.18 * pallor)
    if lipstick:
        lip = mix(lip, ((0.72, 0.12, 0.18), (0.80, 0.33, 0.38), (0.55, 0.10, 0.2))[
            int(rng.integers(3))], float(rng.uniform(0.35, 0.8)))  # fmt: skip
    made_up = male() < -0.2 and rng.random() < 0.6 * _ramp(looks, 14, 20)
    thin = sign(55, 95)
    brow_colour = mix(hair, (0.12, 0.09, 0.08), 0.35)
    brow_colour = mix(brow_colour, _GREY, 0.75 * grey * float(rng.uniform(0.3, 1)))
    eye_odds = _EYE_ODDS_LIGHT if race in (0, 4) and dark < 0.4 else _EYE_ODDS_DARK

    def between(baby: float, adult: float, spread: float) -> float:
        return float(baby + (adult - baby) * grown + rng.normal(0, spread))

    adulthood = _ramp(looks, 12, 20)
    return Traits(
        pose=Pose(
            shift_x=normal(0, 0.035),
            shift_y=normal(0.0, 0.03) + 0.03 * (1 - grown),
            scale=float(np.clip(rng.normal(0.99, 0.05), 0.86, 1.12)),
            roll=normal(0, 0.07),
            yaw=float(np.clip(rng.normal(0, 0.085), -0.2, 0.2)),
            pitch=float(np.clip(rng.normal(0, 0.03), -0.07, 0.07)),
        ),
        outline=_outline(rng, grown, male(), jowls, gaunt),
        grown=grown,
        skin=skin,
        pallor=pallor,
        blush=(0.55 + 0.5 * (1 - grown)) * float(rng.uniform(0.4, 1.2)) * (1 - 0.5 * dark)
        + (0.3 if made_up else 0.0),
        ruddy=0.35 + 0.9 * sign(35, 85),
        spots=int(rng.poisson(9 * _ramp(seen(), 52, 88))),
        freckles=int(rng.integers(10, 40)) if dark < 0.3 and rng.random() < 0.1 else 0,
        forehead_lines=line(26, 72),
        frown_lines=line(30, 75) * (0.75 + 0.25 * max(0.0, expression)),
        crows_feet=line(26, 62),
        folds=0.12 * adulthood + line(22, 60),
        marionette=0.75 * sign(36, 72),
        bags=0.15 + line(28, 64),
        hollow=gaunt,
        jowls=jowls,
        rough=0.1 + sign(35, 80),
        neck_bands=line(45, 85),
        eye_x=between(0.262, 0.232, 0.009),
        eye_y=between(0.125, -0.035, 0.014),
        eye_half=between(0.142, 0.124, 0.006) - 0.008 * maturity * male() - 0.010 * sign(50, 90),
        eye_open=between(0.60, 0.44, 0.05) - 0.03 * male() - 0.11 * sign(42, 80),
        eye_tilt=normal(-0.03, 0.05) + 0.06 * sign(50, 90),
        eye_colour=mix(_EYES[_pick(rng, eye_odds)], (0.3, 0.3, 0.3), float(rng.uniform(0, 0.2))),
        iris=between(0.066, 0.054, 0.002),
        gaze=(normal(0, 0.012), normal(0, 0.006)),
        hooded=sign(34, 72),
        lashes=float(np.clip(0.45 - 0.35 * male() + (0.35 if made_up else 0.0), 0.05, 1.2)),
        shadow=float(rng.uniform(0.2, 0.8)) if made_up else 0.0,
        brow_gap=between(0.175, 0.158, 0.012) - 0.022 * maturity * male() - 0.012 * sign(50, 90),
        brow_thick=between(0.018, 0.027, 0.003) + 0.0085 * maturity * male(),
        brow_arch=0.028 - 0.014 * male() + normal(0, 0.006),
        brow_ink=float(np.clip(between(0.35, 0.85, 0.1) + 0.1 * male() - 0.25 * thin, 0.15, 1)),
        brow_colour=brow_colour,
        brow_ridge=adulthood * max(0.0, 0.5 + 0.5 * male()),
        nose_y=between(0.285, 0.275, 0.015) + 0.02 * male() * adulthood + 0.03 * sign(45, 90),
        nose_half=between(0.098, 0.112, 0.007) + 0.008 * male() * grown + 0.012 * sign(40, 90),
        nose_high=between(0.35, 1.0, 0.08) + 0.12 * male() * adulthood,
        mouth_y=between(0.455, 0.505, 0.012) + 0.012 * male() * adulthood,
        mouth_half=between(0.150, 0.205, 0.012) + 0.008 * male(),
        lip_upper=max(0.010, between(0.040, 0.041, 0.007) - 0.007 * male() - 0.022 * sign(34, 78)),
        lip_lower=max(0.018, between(0.052, 0.060, 0.008) - 0.007 * male() - 0.024 * sign(34, 78)),
        lip_colour=lip,
        smile=normal(0.030, 0.019),
        mouth_gap=float(rng.uniform(0.02, 0.062)) if rng.random() < 0.33 else 0.0,
        ears=between(0.9, 1.0, 0.06) + 0.18 * sign(50, 95),
        hair=hair,
        grey=0.12 * grey if dyed else min(grey, 1.0),
        hairline=-0.53 + normal(0, 0.025) - 0.10 * (1 - _ramp(looks, 0, 3)) - 0.03 * adult_male,
        recession=adult_male * sign(20, 62) + 0.15 * max(0.0, male()) * adulthood,
        bald=bald,
        cover=float(
            np.clip(0.30 + 0.70 * _ramp(seen(), 0.3, 2.6) - 0.30 * sign(62, 98), 0.25, 1.0)
        ),
        volume_top=style["volume_top"] * (1 - 0.75 * bald) * (1 - 0.4 * sign(60, 95)),
        volume_side=style["volume_side"] * (1 - 0.5 * bald),
        length=style["length"] if bald < 0.35 else min(style["length"], 0.05),
        flare=style["flare"],
        waves=style["waves"],
        curl=style["curl"],
        fringe=style["fringe"] * (1 - min(1.0, 2 * bald)),
        part=style["part"],
        swept=style["swept"] > 0,
        stubble=adult_male * float(rng.uniform(0.15, 0.9)),
        beard=float(rng.uniform(0.5, 1.0)) if whiskers < 0.34 and looks > 17 else 0.0,
        moustache=float(rng.uniform(0.6, 1.0)) if whiskers < 0.50 and looks > 17 else 0.0,
        beard_grey=min(1.0, _ramp(seen(), 36, 68) * float(rng.uniform(0.7, 1.3))),
        neck_half=between(0.27, 0.31, 0.015) + 0.045 * male() * adulthood,
        shoulders=between(0.75, 1.05, 0.05) + 0.12 * male() * adulthood,
        glasses=float(rng.uniform(0.5, 1.0))
        if rng.random() < 0.04 * grown + 0.10 * adulthood + 0.16 * _ramp(looks, 40, 70)
        else 0.0,
        earrings=float(rng.random() < (0.40 if expression < 0 else 0.03) * _ramp(looks, 4, 16)),
        clothes=(float(rng.random()), float(rng.random()), float(rng.random())),
        collar=float(rng.random()),
    )
