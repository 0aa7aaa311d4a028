"""What the model is, what it takes and answers, and what it is for."""

from collections.abc import Mapping
from typing import Any

from components.model_card.blocks import Points, Section, Terms, Text
from components.model_card.known import Known
from components.model_card.numbers import SHARE, YEARS, count, counted, with_interval
from components.selector.tables import measured_how, number
from schema import age_groups, features
from trainer import names

_FROM_SCRATCH: Mapping[str, str] = {
    "gender_cnn": "a convolutional network that answers gender, trained from scratch",
    "age_cnn": "a convolutional network that answers age, trained from scratch",
    "multitask_cnn": "one convolutional network that answers both, trained from scratch",
}
# Why they are: see components.selector.slices.SliceLimits.
_HARD: Mapping[str, str] = {
    features.AGE_GROUPS[0]: "whose gender is hard to see for anyone",
    features.AGE_GROUPS[-1]: "as errors grow with age",
}
_ANSWER_UNITS: Mapping[str, str] = {
    features.OUT_AGE: f"years, {features.MIN_AGE} to {features.MAX_AGE}, a number",
    features.OUT_AGE_LOW: "years, a number: where the answered range of ages begins",
    features.OUT_AGE_HIGH: "years, a number: where it ends",
    features.OUT_FEMALE_PROBABILITY: "0 to 1, a number",
    features.OUT_GENDER: f"{' or '.join(features.GENDERS)}, a text: female from a probability "
    "of 0.5",
}


def what_it_is(known: Known) -> Section:
    """Name, size, speed, version; input and output."""
    model, speed = known.row["model"], known.report.content["speed"]
    size = model.get("bytes")
    facts = [
        ("Candidate", known.name),
        ("Made of", "; ".join(f"{n}: {_kind(n, one)}" for n, one in known.trainings.items())),
        ("Sees", _sees(known)),
        ("Weights", number(model.get("parameters"), "{:,.0f}")),
        ("Size", number(None if size is None else size / 1e6, "{:.1f} MB")),
        (
            "Speed",
            f"{speed['latency_ms']:.1f} ms for one face, {speed['images_per_second']:,.0f} faces "
            "a second in batches",
        ),
        ("Version", _version(known)),
        ("Written on", f"{known.date:%Y-%m-%d}"),
        ("Content digest", known.digest),
    ]
    groups = ", ".join(age_groups.GROUPS[known.about.age_groups])
    answers = [f"{name}: {_ANSWER_UNITS[name]}" for name in features.OUTPUTS[:-1]]
    return Section(
        "What it is",
        [
            Text(
                "A TensorFlow SavedModel that answers, for a photograph of one face, how old the "
                "person looks, and whether like a woman or like a man."
            ),
            Terms(facts),
            Text(
                f"{measured_how(known.report.content)} The content digest says which model this "
                "is: the same model may be served again later, under a higher version number."
            ),
            Text(
                f"Takes {features.INPUT_IMAGE_BYTES}: encoded JPEG, PNG or GIF files, one or more, "
                f"as raw bytes (signature {features.SIGNATURE_DEFAULT}). The face upright, "
                "centred, with a margin, as in the data. Answers, for each:"
            ),
            Points([*answers, f"{features.OUT_AGE_GROUP}: one of {groups}, a text"]),
        ],
    )


def _kind(name: str, figures: Mapping[str, Any]) -> str:
    taught = ", taught by the mean of several models" if names.is_student(name) else ""
    backbone = names.backbone(name)
    if not backbone:
        return _FROM_SCRATCH.get(names.kind(name), name) + taught
    weights = str(figures["hyperparameters"]["transfer"]["weights"])
    start = {
        "imagenet": "started from weights trained on ImageNet",
        "none": "trained from scratch",
    }.get(weights, "started from weights in a file")
    return f"the backbone {backbone}, {start}, with heads for age and gender{taught}"


def _sees(known: Known) -> str:
    sides = {
        one["hyperparameters"].get("input_size") or one["store_size"]
        for one in known.trainings.values()
    }
    seen = " and ".join(f"{side} x {side}" for side in sorted(sides)) + " pixels, in colour"
    twice = "; answers with the mean over a picture and its mirror image"
    return seen + (twice if known.figures.get("mirror") else "")


def _version(known: Known) -> str:
    version = known.publication.version
    return "none: not published" if version is None else str(version)


def what_it_is_for(known: Known) -> Section:
    """Uses, uses that are none, and limits with what was measured of them."""
    licence = (
        "UTKFace, by their name: photographs for non-commercial research only. Take it that "
        "this holds for the model, too."
    )
    if known.is_drawn:
        licence = (
            "Faces that were drawn, not photographs: the model shows the pipeline at work and "
            "knows nothing about people."
        )
    elif not known.is_utkface:
        licence = "What its photographs may be used for, this card does not know: ask their owner."
    return Section(
        "What it is for, and what not",
        [
            Points(
                [
                    "For research and demonstrations: how apparent age and gender are spread over "
                    "many pictures, and how such models err.",
                    "Not for identifying anyone, and not for decisions about people: no access, "
                    "age check, hiring, price, care or policing.",
                    "Not for one person's age or gender: it says how a face looks, not who "
                    "somebody is.",
                ]
            ),
            Text("Limits:"),
            Points(
                [
                    "Gender is answered as female or male because the labels know no other: for "
                    "some people both are wrong.",
                    "Ages in the data are noisy labels, and so are those it is measured against.",
                    "Race labels are the data's own; nothing is learned from them, they tell who "
                    "is served worse.",
                    *(_group_line(name, figures) for name, figures in known.hardest.items()),
                    f"All ages: {_line(known.row['test'])}, of {count(known.faces)} test faces.",
                    f"Data: {licence}",
                ]
            ),
        ],
    )


def _group_line(group: str, figures: Mapping[str, Any]) -> str:
    if not figures:
        return f"Ages {group}, {_HARD[group]}: no test face, so nothing is known of them."
    return (
        f"Ages {group}, {_HARD[group]}: {_line(figures)}, of "
        f"{counted(figures['examples'], 'test face')}."
    )


def _line(figures: Mapping[str, Any]) -> str:
    age = with_interval(figures, "age_mae", YEARS)
    return (
        f"age MAE {age} years, gender right for {with_interval(figures, 'gender_accuracy', SHARE)}"
    )
