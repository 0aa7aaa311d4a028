"""From an uploaded file to what the page shows: the faces, and what each model answers."""

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.errors import UserError
from serving import faces, photographs
from serving.client.answers import Answer, Ask, RefusedError, ask_all
from serving.photographs import PhotographError, Pixels
from serving.predictions import Faces, Region, regions

Models = Mapping[str, Ask]  # by the name that people choose them by, the first one preferred

_SHOWN: Final = 1024  # pixels on a side, of the picture that is sent back


class CannotAnswerError(Exception):
    """Why there is no answer, in a plain sentence for whoever uploaded the picture."""


class Box(NamedTuple):
    """Where a face is, in percent of the picture; degrees it is tilted clockwise."""

    left: float
    top: float
    width: float
    height: float
    angle: float


class Found(NamedTuple):
    """One face, or a whole picture (`box` is None), and each model's answer or refusal."""

    box: Box | None
    answers: dict[str, Answer | RefusedError]


class Reply(NamedTuple):
    """A picture as a data URL, and what was found in it, the largest face first."""

    picture: str
    found: list[Found]


def lazily(load: Callable[[], Ask]) -> Ask:
    """A function that asks what `load` returns, which is called at the first question."""
    lock = threading.Lock()
    loaded: list[Ask] = []

    def ask(pictures: Sequence[bytes]) -> list[Answer]:
        with lock:
            if not loaded:
                loaded.append(load())
        return loaded[0](pictures)

    return ask


def answer(file: Path, models: Models, whole: bool, find: faces.Finder) -> Reply:
    """What `models` answer about a picture.

    Args:
      file: as it was uploaded.
      models: that are asked, one or more.
      whole: ask about all of the picture, instead of the faces in it.
      find: finds the faces.

    Raises:
      CannotAnswerError: no picture, no face, or no model that answers.
    """
    try:
        data = file.read_bytes()
        parts = regions(data, Faces.WHOLE if whole else Faces.FIND, find)
        if not parts:
            raise CannotAnswerError(
                "No face was found in this picture. Try one in which a face looks at the camera "
                "and fills more of it, or tick “The picture is one face”."
            )
        crops = [crop for _, crop in parts]
        answers = {name: ask_all(ask, crops) for name, ask in models.items()}
        pixels = photographs.read(data)
    except PhotographError as error:
        raise CannotAnswerError(_sentence(f"This file cannot be used: {error}")) from error
    except UserError as error:
        raise CannotAnswerError(_sentence(f"There is no answer: {error}")) from error
    except MemoryError as error:
        raise CannotAnswerError("This picture is too large here; make it smaller.") from error
    except FileNotFoundError as error:
        raise CannotAnswerError("The picture is no longer kept; upload it again.") from error
    return Reply(
        _data_url(pixels),
        [
            Found(_box(region, pixels), {name: said[place] for name, said in answers.items()})
            for place, (region, _) in enumerate(parts)
        ],
    )


def _sentence(words: str) -> str:
    return words if words.endswith((".", "?")) else f"{words}."


def _box(region: Region, pixels: Pixels) -> Box | None:
    if region.kind != "face":
        return None
    height, width, _ = pixels.shape
    left, top, across, down = region.box
    return Box(
        100 * left / width, 100 * top / height, 100 * across / width, 100 * down / height,
        region.angle,
    )  # fmt: skip


def _data_url(pixels: Pixels) -> str:
    jpeg = photographs.encode(faces.shrunk(pixels, _SHOWN))
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
