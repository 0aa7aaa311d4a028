"""A model card (Mitchell et al. 2019) of a candidate, from what the run's nodes wrote."""

from components.model_card.blocks import Card
from components.model_card.known import Known
from components.model_card.sections.data import data
from components.model_card.sections.figures import overall, picture_quality, served_worse
from components.model_card.sections.model import what_it_is, what_it_is_for
from components.model_card.sections.training import again, training
from components.model_card.sections.uncertainty import uncertainty


def card(known: Known) -> Card:
    """The whole card; every number in it is one of `known`'s or follows from them."""
    publication = known.publication
    published = publication.version is not None
    if not published:
        status = f"Not published: {publication.reason or 'for an unknown reason'}"
    elif publication.pushed:
        status = f"Published as version {publication.version}"
    else:
        status = f"Served as version {publication.version}, and already before this run"
    return Card(
        title=f"Model card: {known.name}",
        published=published,
        status=status.rstrip(".") + ".",
        reasons=[] if published else list(known.row["failed"]),
        sections=[
            what_it_is(known),
            what_it_is_for(known),
            data(known),
            overall(known),
            served_worse(known),
            picture_quality(known),
            uncertainty(known),
            training(known),
            again(known),
        ],
    )
