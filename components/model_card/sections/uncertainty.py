"""Whether the model's own words on its uncertainty can be believed."""

from components.model_card.blocks import Block, Section, Text
from components.model_card.known import Known
from components.model_card.numbers import (
    SHARE,
    YEARS,
    count,
    counted,
    ends,
    interval,
    with_interval,
)
from components.model_card.sections.pictures import pictures
from components.selector.slices import along, words
from components.selector.tables import Table, number
from schema import features


def uncertainty(known: Known) -> Section:
    """Ranges of age and the female probability: what was fitted, what came of it on test."""
    test = known.row["test"]
    width = number(test.get("age_interval_width"), YEARS)
    blocks: list[Block] = []
    if age := known.calibration.get("age"):
        blocks.append(
            Text(
                f"The range from age_low to age_high is meant to hold {age['coverage']:.0%} of "
                f"true ages. It was fitted on {count(sum(age['faces']))} faces of split calib "
                f"({age['method']}; {counted(len(age['faces']), 'group')} of answered age apart)."
            )
        )
    blocks.append(
        Text(
            f"On test it held {with_interval(test, 'age_coverage', SHARE)} of them and was {width} "
            "years wide on average."
        )
    )
    blocks.append(_coverage(known))
    if gender := known.calibration.get("gender"):
        blocks.append(
            Text(
                "The female probability was divided by a temperature of "
                f"{gender['temperature']:.2f} (its logit), fitted on "
                f"{counted(gender['faces'], 'face')} of split calib. That "
                f"took the calibration error (ECE) of these faces from "
                f"{gender['ece_before']:.3f} to {gender['ece_after']:.3f} and their log loss from "
                f"{gender['log_loss_before']:.3f} to {gender['log_loss_after']:.3f}."
            )
        )
    ece = number(test.get("gender_ece"), "{:.3f}")
    blocks.append(Text(f"On test the calibration error of the answered probability is {ece}."))
    blocks.append(pictures(known, "age_coverage", "reliability"))
    return Section("Is its uncertainty honest?", blocks)


def _coverage(known: Known) -> Table:
    slices = known.row["slices"]
    rows = [
        (
            words(name),
            number(slices[name].get("examples"), "{:,.0f}"),
            number(slices[name].get("age_coverage"), SHARE),
            ends(interval(slices[name], "age_coverage"), SHARE),
            number(slices[name].get("age_interval_width"), YEARS),
        )
        for name in along(slices, features.PREDICTED_AGE_GROUP)
    ]
    head = ("answered age", "faces", "in range", "95%", "width, years")
    return Table("True ages in the range, by answered age", head, rows)
