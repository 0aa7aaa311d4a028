"""ModelReport's pictures, those without anybody's face in them."""

from components.model_card.blocks import Picture, Pictures
from components.model_card.known import Known
from components.selector.page import inlined


def pictures(known: Known, *names: str) -> Pictures:
    """The pictures of these names that the report has."""
    found = {one["file"]: one for one in known.report.content["pictures"]}
    wanted = [found[file] for name in names if (file := f"{name}.png") in found]
    return Pictures(
        [
            Picture(one["title"], one["caption"], one["wide"], inlined(known.report, one["file"]))
            for one in wanted
        ]
    )
