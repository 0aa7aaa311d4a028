"""The features' names and domains against the schema that is curated by hand."""

from pathlib import Path

import pytest

from schema import features

SCHEMA = Path(features.__file__).with_name("schema.pbtxt")

DOMAINS = {
    features.AGE_GROUP: features.AGE_GROUPS,
    features.BRIGHTNESS_LEVEL: features.BRIGHTNESS_LEVELS,
    features.SHARPNESS_LEVEL: features.SHARPNESS_LEVELS,
}


def test_the_schema_names_the_values_that_ingestion_writes() -> None:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = text_format.Parse(SCHEMA.read_text(), schema_pb2.Schema())
    assert {one.name: tuple(one.value) for one in schema.string_domain} == DOMAINS
    assert {one.name for one in schema.feature if one.domain} == set(DOMAINS)


@pytest.mark.parametrize(
    ("brightness", "level"),
    [(0.0, "dark"), (0.4409, "dark"), (0.441, "medium"), (0.5379, "medium"), (0.538, "bright")],
)
def test_brightness_level(brightness: float, level: str) -> None:
    assert features.brightness_level(brightness) == level


@pytest.mark.parametrize(
    ("sharpness", "level"),
    [(0.0, "blurred"), (1.359, "blurred"), (1.36, "medium"), (1.679, "medium"), (1.68, "sharp")],
)
def test_sharpness_level(sharpness: float, level: str) -> None:
    assert features.sharpness_level(sharpness) == level
