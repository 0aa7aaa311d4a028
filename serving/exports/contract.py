"""What an export takes and answers, for those who call it: the JSON beside it."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from schema import age_groups, features
from serving.exports import tflite
from serving.exports.answering import OUTPUTS
from serving.exports.kinds import Quantize
from trainer.runs import Run

_MEANINGS = {
    features.OUT_AGE: "years; the median of the age distribution where there is one",
    features.OUT_AGE_LOW: "years; lower end of the calibrated interval",
    features.OUT_AGE_HIGH: "years; upper end of the calibrated interval",
    features.OUT_FEMALE_PROBABILITY: "0 to 1, calibrated",
    features.OUT_AGE_GROUP: "index into age_groups",
}


@dataclass(frozen=True)
class Origin:
    """Which model was exported.

    Attributes:
      candidate: its name among those of its run.
      version: under which it is served; None for a candidate that was asked for by name.
      run: the pipeline run that judged it.
      content_digest: of its SavedModel, as `agegender explain` shows it.
      data_fingerprint: of the photographs it was trained on.
    """

    candidate: str
    version: int | None
    run: str
    content_digest: str
    data_fingerprint: str


def contract(
    path: Path, quantize: Quantize, origin: Origin, run: Run, groups: age_groups.Scheme
) -> dict[str, Any]:
    """All that is known of an export but how it was checked.

    Args:
      path: the written file.
      quantize: what its weights are.
      origin: what it was made of.
      run: likewise.
      groups: the scheme of its `age_group`.
    """
    size = run.figures["store_size"]
    is_tflite = path.suffix == ".tflite"
    return {
        "format": path.suffix[1:],
        "quantize": quantize,
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "model": asdict(origin),
        "made_with": {"tensorflow": tf.__version__, "keras": keras.__version__},
        "input": {
            "name": features.PIXELS,
            "dtype": "uint8",
            "shape": [1 if is_tflite else None, size, size, 3],
            "channels": "RGB",
            "face": "upright, centred, with a margin, as UTKFace crops it",
            "resize": "the whole picture, bilinear with antialiasing, rounded to whole numbers",
            "tensorflow": f"tf.image.resize(picture, [{size}, {size}], antialias=True)",
            "pillow": f"picture.resize(({size}, {size}), Image.Resampling.BILINEAR)",
        },
        "outputs": _outputs(path) if is_tflite else [_output(name) for name in OUTPUTS],
        "gender": "female where female_probability is 0.5 or more, otherwise male",
        "age_groups": list(age_groups.GROUPS[groups]),
        "calibration": {
            "applied": "inside the graph",
            **run.calibration.model_dump(mode="json"),
        },
    }


def _outputs(path: Path) -> list[dict[str, Any]]:
    found = tflite.outputs(str(path))
    return [{**_output(one["name"]), **one, "index": index} for index, one in enumerate(found)]


def _output(name: str) -> dict[str, Any]:
    dtype = "int32" if name == features.OUT_AGE_GROUP else "float32"
    return {"name": name, "dtype": dtype, "shape": [None], "meaning": _MEANINGS[name]}
