"""Looks at pictures' headers: what is none, or too large, never reaches the decoder."""

import io
from collections.abc import Iterator, Sequence

from PIL import Image, UnidentifiedImageError
from tensorflow.core.example.example_pb2 import Example

from schema import features
from serving.server.errors import invalid

FORMATS = ("JPEG", "PNG", "GIF")  # what the servable's decoder reads


def check(input_name: str, rows: Sequence[bytes], max_pixels: int) -> None:
    """Refuses pictures by their headers alone.

    Args:
      input_name: of the signature's input; `examples` are serialized tf.Examples.
      rows: what it takes.
      max_pixels: of one picture.

    Raises:
      ServingError: INVALID_ARGUMENT, for the first that is none or has too many pixels.
    """
    for i, picture in _pictures(input_name, rows):
        try:
            with Image.open(io.BytesIO(picture), formats=FORMATS) as found:
                width, height = found.size
                frames = 2 if getattr(found, "is_animated", False) else 1
        except UnidentifiedImageError:
            raise invalid(
                f"Input {i}: Unknown image file format. One of {', '.join(FORMATS)} required."
            ) from None
        except Image.DecompressionBombError:
            raise invalid(f"Input {i}: more than {max_pixels} pixels") from None
        except Exception as error:  # Pillow's readers raise whatever a broken header makes them
            raise invalid(f"Input {i}: broken image file: {error}") from None
        if width * height > max_pixels:
            raise invalid(f"Input {i}: {width}x{height} is more than {max_pixels} pixels")
        if frames > 1:
            raise invalid(f"Input {i}: it is animated: send one picture")


def _pictures(input_name: str, rows: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    if input_name != features.INPUT_EXAMPLES:
        yield from enumerate(rows)
        return
    for i, row in enumerate(rows):
        try:
            feature = Example.FromString(row).features.feature
        except Exception:  # protobuf's DecodeError has no public home common to its versions
            raise invalid(f"Could not parse example input, value: input {i}") from None
        if features.IMAGE not in feature:
            raise invalid(f"Input {i}: Feature: {features.IMAGE} is required but missing.")
        yield from ((i, picture) for picture in feature[features.IMAGE].bytes_list.value)
