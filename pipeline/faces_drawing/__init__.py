"""Illustrated portraits drawn from nothing but an age, a gender and a race code."""

import numpy as np
from PIL import Image

from pipeline.faces_drawing import features, hair, scene, skin
from pipeline.faces_drawing.canvas import box, cover, crop, make_canvas, paint
from pipeline.faces_drawing.traits import draw_traits

_ALL = (slice(None), slice(None))


def draw_face(
    rng_or_seed: np.random.Generator | int, age: int, gender: int, race: int
) -> Image.Image:
    """One face as a 200x200 RGB picture.

    Args:
        rng_or_seed: the same seed draws the same pixels on the same library versions.
        age: years.
        gender: 0 male, 1 female.
        race: index into `schema.features.RACES`.
    """
    rng = np.random.default_rng(rng_or_seed)
    face = draw_traits(rng, age, gender, race)
    canvas = make_canvas(face.pose, face.outline, rng)
    light = (float(rng.normal(0, 0.42)), float(rng.normal(-0.28, 0.22)))
    ambient = float(rng.uniform(0.42, 0.72))
    strands = hair.make_strands(rng)
    region = hair.hair_region(canvas, face)
    hairy = crop(canvas, region)
    texture = hair.strand_texture(canvas, region, face, strands, rng)

    skin.draw_skin(canvas, face, rng)
    features.draw_eyes(canvas, face)
    features.draw_mouth(canvas, face)
    skin.draw_wrinkles(canvas, face, rng)
    features.draw_brows(canvas, face, strands)
    features.draw_whiskers(canvas, face, strands, rng)

    shade = 0.80 + 0.15 * ambient
    scene.draw_background(canvas, rng)
    hair.draw_hair_behind(hairy, face, texture)
    scene.draw_body(canvas, face, face.outline[-1][1], shade)
    skin.draw_ears(canvas, face, shade)
    head = crop(canvas, box(canvas, (0, 0), 0.8, 0.95))
    inside = cover((1 - head.reach) * head.radius, head.px, 1.4)
    paint(head.picture, _ALL, inside, skin.lit(head, light, ambient))
    features.draw_glints(canvas, face, light)
    hair.draw_hair(hairy, face, texture, light, ambient)
    scene.draw_worn(canvas, face)
    return scene.photograph(canvas, rng)
