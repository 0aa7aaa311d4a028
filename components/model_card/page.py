"""The card as one page that needs nothing but itself."""

import jinja2

from components.model_card.blocks import Card

FILE = "card.html"

_PAGE = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
        [
            jinja2.PackageLoader("components.model_card"),
            jinja2.PackageLoader("components.selector"),  # whose style and tables it shares
        ]
    ),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(card: Card) -> str:
    """The HTML of the page: no scripts, and nothing loaded from anywhere."""
    sections = [
        (section.title, [(type(block).__name__, block) for block in section.blocks])
        for section in card.sections
    ]
    return _PAGE.get_template("card.html.j2").render(card=card, sections=sections)
