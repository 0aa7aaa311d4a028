from pathlib import Path

from pipeline import validation
from pipeline.local import SCHEMA
from schema import features


def test_the_schema_compares_labels_and_pictures_alike() -> None:
    found = validation.comparators(SCHEMA)
    compared = {
        features.GENDER,
        features.RACE,
        features.AGE_GROUP,
        features.BRIGHTNESS,
        features.SHARPNESS,
    }
    assert set(found.skew) == set(found.drift) == compared
    assert all(0 < most < 1 for most in (*found.skew.values(), *found.drift.values()))


def test_skew_and_drift_are_told_apart(tmp_path: Path) -> None:
    schema = tmp_path / "schema.pbtxt"
    divergence = "{ jensen_shannon_divergence { threshold: %s } }"
    schema.write_text(
        'feature { name: "a" skew_comparator %s }' % (divergence % 0.1)
        + 'feature { name: "b" drift_comparator %s }' % (divergence % 0.2)
        + 'feature { name: "c" }'
    )
    assert validation.comparators(schema) == validation.Comparators({"a": 0.1}, {"b": 0.2})


def test_every_other_split_is_compared_with_the_one_that_is_learned_from() -> None:
    assert validation.SPLIT_PAIRS == [("val", "train"), ("calib", "train"), ("test", "train")]
