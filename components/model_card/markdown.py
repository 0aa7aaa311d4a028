"""The card as Markdown; its pictures are the page's alone."""

import re

from components.model_card.blocks import Block, Card, Chart, Code, Pictures, Points, Terms, Text
from components.selector.markdown import bullets, table

FILE = "card.md"

_MARKUP = re.compile(r"([\\`*_\[\]#])")


def render(card: Card) -> str:
    """The Markdown of a card."""
    parts = [f"# {_plain(card.title)}", f"**{_plain(card.status)}**"]
    if card.reasons:
        parts.append(bullets([_plain(line) for line in card.reasons]))
    for section in card.sections:
        parts += [f"## {_plain(section.title)}", *filter(None, map(_block, section.blocks))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Text(text):
            return _plain(text)
        case Points(lines):
            return bullets([_plain(line) for line in lines])
        case Terms(rows):
            return bullets([f"**{_plain(name)}**: {_plain(value)}" for name, value in rows])
        case Code(text):
            # By four spaces: no fence in the text can end it.
            return "\n".join(f"    {line}" for line in text.splitlines())
        case Chart() | Pictures():
            return ""
    cells = [tuple(map(_plain, row)) for row in block.rows]
    return table(
        block._replace(title=_plain(block.title), head=[*map(_plain, block.head)], rows=cells)
    )


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    one_line = " ".join(text.split())
    escaped = _MARKUP.sub(r"\\\1", one_line)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
