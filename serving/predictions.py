"""From photographs to answers about the faces in them, a few photographs at a time."""

import collections
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from typing import Final, NamedTuple

import cv2

from serving import faces, photographs
from serving.client import Answer, Ask, RefusedError, ask_all
from serving.client.answers import MAX_BATCH
from serving.photographs import PhotographError, Pixels

# A decoded photograph of 50 megapixels takes 150 MB, in each thread.
_MOST_THREADS: Final = 8
_LARGEST_WHOLE: Final = 1024  # pixels, of a whole picture that is asked about
_MOST_BYTES_AS_IT_IS: Final = 256 * 2**10


class Faces(StrEnum):
    """What is asked about in a photograph."""

    FIND = "find"  # the faces in it, if any
    WHOLE = "whole"  # all of it, which is a face already
    AUTO = "auto"  # the faces in it; all of it where there is none


class Region(NamedTuple):
    """What was asked about: left, top, width, height in pixels of the upright photograph."""

    kind: str  # "face" or "whole"
    box: tuple[int, int, int, int]
    angle: float = 0.0  # degrees by which the head is tilted clockwise


class Source(NamedTuple):
    """A photograph by name, and how to get its bytes."""

    name: str
    read: Callable[[], bytes]


class Outcome(NamedTuple):
    """What came of one photograph: answers, the largest face first, and what went wrong."""

    name: str
    answers: list[tuple[Region, Answer]]
    errors: list[str]


class _Prepared(NamedTuple):
    name: str
    regions: list[tuple[Region, bytes]]
    error: str = ""


def predict(
    sources: Iterable[Source], ask: Ask, what: Faces, find: faces.Finder
) -> Iterator[Outcome]:
    """An outcome for each photograph, in their order.

    Photographs are decoded and searched in threads, while answers are awaited; those decoded at
    once are as many as threads, and of those further ahead only the crops are kept.

    Raises:
      UserError: the model cannot be reached.
    """
    waiting: list[_Prepared] = []
    for prepared in _prepared(sources, what, find):
        waiting.append(prepared)
        if len(waiting) >= MAX_BATCH or sum(len(one.regions) for one in waiting) >= MAX_BATCH:
            yield from _answered(waiting, ask)
            waiting = []
    yield from _answered(waiting, ask)


def regions(data: bytes, what: Faces, find: faces.Finder) -> list[tuple[Region, bytes]]:
    """What to ask about in an encoded photograph, and the encoded pictures to ask with.

    Raises:
      PhotographError: it is none that can be used.
    """
    pixels = photographs.read(data)
    height, width, _ = pixels.shape
    found = [] if what is Faces.WHOLE else find(pixels)
    crops = [
        (
            Region("face", faces.bounds(face.square, width, height), face.square.angle),
            photographs.encode(faces.cut(pixels, faces.chip(face.square))),
        )
        for face in found
    ]
    if crops or what is Faces.FIND:
        return crops
    return [(Region("whole", (0, 0, width, height)), _whole(data, pixels))]


def _whole(data: bytes, pixels: Pixels) -> bytes:
    """A picture as ingestion would have stored it, unless it is larger than any use."""
    if photographs.is_sent_as_it_is(data, _MOST_BYTES_AS_IT_IS):
        return data
    return photographs.encode(faces.shrunk(pixels, _LARGEST_WHOLE))


def _prepared(sources: Iterable[Source], what: Faces, find: faces.Finder) -> Iterator[_Prepared]:
    threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    pending: collections.deque[Future[_Prepared]] = collections.deque()
    cv2.setNumThreads(1)  # the photographs are shared out already
    pool = ThreadPoolExecutor(threads)
    try:
        for source in sources:
            pending.append(pool.submit(_prepare, source, what, find))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(source: Source, what: Faces, find: faces.Finder) -> _Prepared:
    try:
        return _Prepared(source.name, regions(source.read(), what, find))
    except PhotographError as error:
        return _Prepared(source.name, [], str(error))
    except OSError as error:
        return _Prepared(source.name, [], f"cannot be read: {error.strerror}")
    except MemoryError:
        return _Prepared(source.name, [], "too large for this machine's memory; make it smaller")


def _answered(waiting: list[_Prepared], ask: Ask) -> Iterator[Outcome]:
    answers = iter(ask_all(ask, [picture for one in waiting for _, picture in one.regions]))
    for one in waiting:
        pairs = [(region, next(answers)) for region, _ in one.regions]
        refused = [f"refused by the model: {a}" for _, a in pairs if isinstance(a, RefusedError)]
        kept = [(region, a) for region, a in pairs if not isinstance(a, RefusedError)]
        yield Outcome(one.name, kept, [one.error] * bool(one.error) + refused)
