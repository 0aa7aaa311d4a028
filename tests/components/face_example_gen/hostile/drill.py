"""What is tried, how often, and what must hold of it."""

import io
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from components.face_example_gen import curation, logic, sources
from components.face_example_gen.logic import Face
from components.face_example_gen.policy import Balance, Policy
from components.face_example_gen.rejects import Reason, Reject
from pipeline.errors import UserError
from schema import features

EFFORT = [pytest.param(1, id="quick"), pytest.param(30, id="long", marks=pytest.mark.slow)]


def trying(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def check_source(uri: Path) -> Counter[str]:
    """Holds a source to the promise; how many of its files had each outcome."""
    try:
        sources.fingerprint(str(uri))
        listed = [entry.name for entry in sources.list_entries(str(uri))]
    except UserError:
        with pytest.raises(UserError, match=r"\A[^\n]+\Z"):
            list(logic.examine_source(str(uri), lambda _: True))
        return Counter(["refused"])
    found = list(logic.examine_source(str(uri), lambda _: True))
    assert [face.file for face in found] == listed
    rows = [curation.Row(f.file, f.image_sha256, f.labels) for f in found if isinstance(f, Face)]
    used, left_out = curation.curate(rows, Policy(), Balance())
    assert sorted([*used, *(one.row for one in left_out)]) == sorted(rows)
    return Counter(map(outcome, found))


def outcome(found: Face | Reject) -> str:
    """`used` or the reason, once it is sure that the rest of the pipeline can live with it."""
    assert json.loads(json.dumps(found.file)) == found.file == found.file.encode().decode()
    if isinstance(found, Reject):
        assert found.reason in Reason
        assert found.detail
        assert "\n" not in found.detail
        assert "MemoryError" not in found.detail
        return found.reason
    assert min(found.width, found.height) >= 16
    assert 0 <= found.brightness <= 1
    assert math.isfinite(found.sharpness)
    assert found.sharpness >= 0
    assert logic.split_of(found.image_sha256) in features.SPLITS
    stored = np.asarray(Image.open(io.BytesIO(found.jpeg)).convert("RGB"))
    assert logic.pixel_sha256(stored) == found.image_sha256
    return "used"
