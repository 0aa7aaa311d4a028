"""What a card is made of, whatever it is written as; nothing in its texts is markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from components.selector.tables import Table


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Terms:
    """Names with what they stand for."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """Commands to type."""

    text: str


@dataclass(frozen=True)
class Chart:
    """An SVG to set into a page, in the page's colours; the words of `title` say what it shows."""

    title: str
    svg: str


class Picture(NamedTuple):
    """A picture as a URL that holds it."""

    title: str
    caption: str
    wide: bool
    data: str


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side."""

    pictures: Sequence[Picture]


Block = Text | Points | Terms | Code | Chart | Pictures | Table


class Section(NamedTuple):
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


class Card(NamedTuple):
    """A whole card; `reasons` say, a line each, why the model was not published."""

    title: str
    published: bool
    status: str
    reasons: Sequence[str]
    sections: Sequence[Section]
