"""Every feature name, domain and age group, once.

Raw features are what FaceExampleGen writes; transformed ones are what Transform writes and the
trainer reads. Nothing else in the project spells these strings.
"""

from bisect import bisect_right
from itertools import pairwise
from typing import Final

# Raw features (see schema.pbtxt for their domains).
IMAGE: Final = "image"  # encoded JPEG bytes, upright, RGB or as found
AGE: Final = "age"  # years, int64
GENDER: Final = "gender"  # 0 male, 1 female, int64
RACE: Final = "race"  # index into RACES, int64
AGE_GROUP: Final = "age_group"  # one of AGE_GROUPS, bytes
IMAGE_SHA256: Final = "image_sha256"  # hex digest of the decoded pixels, bytes
FILENAME: Final = "filename"  # path below the data root, UTF-8 bytes
WIDTH: Final = "width"  # pixels, int64
HEIGHT: Final = "height"  # pixels, int64
BRIGHTNESS: Final = "brightness"  # mean luma, 0 (black) to 1 (white), float
SHARPNESS: Final = "sharpness"  # log10(1 + variance of the luma's Laplacian, grey levels²), float
BRIGHTNESS_LEVEL: Final = "brightness_level"  # one of BRIGHTNESS_LEVELS, bytes
SHARPNESS_LEVEL: Final = "sharpness_level"  # one of SHARPNESS_LEVELS, bytes

# Transformed features. PIXELS is a serialized uint8 tensor [store_size, store_size, 3].
PIXELS: Final = "pixels"
# GENDER keeps its name and becomes float: 0.0 male, 1.0 female.
AGE_NORM: Final = "age_norm"  # age / MAX_AGE, float in [0, 1]

# What a teacher answers to a picture of split train: see components.soft_labels.
TEACHER_AGE: Final = "teacher_age"  # probabilities of the years 0 to 116, float [117], or one age
TEACHER_GENDER: Final = "teacher_gender"  # logit of "female", float

# What only training data carry: see the environments of schema.pbtxt.
LABELS: Final = (AGE, GENDER, RACE, AGE_GROUP)

# Domains.
MIN_AGE: Final = 0
MAX_AGE: Final = 116
GENDERS: Final = ("male", "female")
RACES: Final = ("White", "Black", "Asian", "Indian", "Others")

SPLITS: Final = ("train", "val", "calib", "test")

# Lower bounds of the age groups, in years; each group ends below the next one's bound.
_GROUP_BOUNDS: Final = (0, 5, 13, 20, 30, 40, 50, 60, 70, 80)
AGE_GROUPS: Final = (
    *(f"{low}-{high - 1}" for low, high in pairwise(_GROUP_BOUNDS)),
    f"{_GROUP_BOUNDS[-1]}+",
)
AGE_GROUP_BOUNDS: Final = _GROUP_BOUNDS[1:]

# Thirds of UTKFace (11,885 faces of split train). Fixed, so that a level means the same in other
# data, and figures by level can be compared.
BRIGHTNESS_LEVELS: Final = ("dark", "medium", "bright")
SHARPNESS_LEVELS: Final = ("blurred", "medium", "sharp")
_BRIGHTNESS_CUTS: Final = (0.441, 0.538)
_SHARPNESS_CUTS: Final = (1.360, 1.680)

# No feature of the data: the age group of the age a model answers, which TFMA slices by too.
PREDICTED_AGE_GROUP: Final = "predicted_age_group"

# What a servable answers, per face.
OUT_AGE: Final = "age"  # years
OUT_AGE_LOW: Final = "age_low"  # years, lower end of the 90% interval
OUT_AGE_HIGH: Final = "age_high"  # years, upper end
OUT_FEMALE_PROBABILITY: Final = "female_probability"
OUT_GENDER: Final = "gender"  # "female" or "male"
OUT_AGE_GROUP: Final = "age_group"
OUTPUTS: Final = (
    OUT_AGE,
    OUT_AGE_LOW,
    OUT_AGE_HIGH,
    OUT_FEMALE_PROBABILITY,
    OUT_GENDER,
    OUT_AGE_GROUP,
)

# Signatures of a servable and their single input.
SIGNATURE_DEFAULT: Final = "serving_default"
SIGNATURE_EXAMPLES: Final = "serving_examples"
SIGNATURE_TRANSFORM: Final = "transform_features"
INPUT_IMAGE_BYTES: Final = "image_bytes"
INPUT_EXAMPLES: Final = "examples"

MODEL_NAME: Final = "agegender"


def age_group(age: float) -> str:
    """The name of the group a (true or predicted) age in years falls into."""
    return AGE_GROUPS[sum(age >= bound for bound in AGE_GROUP_BOUNDS)]


def brightness_level(brightness: float) -> str:
    """The third of UTKFace that a picture of this brightness would be in."""
    return BRIGHTNESS_LEVELS[bisect_right(_BRIGHTNESS_CUTS, brightness)]


def sharpness_level(sharpness: float) -> str:
    """The third of UTKFace that a picture of this sharpness would be in."""
    return SHARPNESS_LEVELS[bisect_right(_SHARPNESS_CUTS, sharpness)]
