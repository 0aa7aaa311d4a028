"""How good the model is: on all test faces, on each kind of them, on spoilt pictures."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.model_card.blocks import Block, Points, Section, Text
from components.model_card.known import Known
from components.model_card.numbers import SHARE, YEARS, count, counted, ends, interval
from components.model_card.sections.pictures import pictures
from components.selector import tables
from components.selector.logic import CONSTANT_VERSION
from components.selector.slices import AGE_MAE, GENDER_ACCURACY, along, words
from components.selector.tables import Table, number

# Of the test split, in the order they are shown: how a figure is called, and its form.
_FIGURES: Mapping[str, tuple[str, str]] = {
    "age_mae": ("age MAE, years", YEARS),
    "age_rmse": ("age RMSE, years", YEARS),
    "age_r2": ("age R²", YEARS),
    "age_within_5": ("ages off by 5 years at most", SHARE),
    "age_within_10": ("ages off by 10 years at most", SHARE),
    "age_group_accuracy": ("age group right", SHARE),
    "age_coverage": ("true ages in the answered range", SHARE),
    "age_interval_width": ("width of the range, years", YEARS),
    "gender_accuracy": ("gender right", SHARE),
    "gender_auc": ("gender AUC", "{:.3f}"),
    "gender_precision": ("precision of female", "{:.3f}"),
    "gender_recall": ("recall of female", "{:.3f}"),
    "gender_f1": ("F1 of female", "{:.3f}"),
    "gender_ece": ("gender calibration error", "{:.3f}"),
}
# Dimension -> how it is called in a heading and in a sentence.
_GROUPS: Mapping[str, tuple[str, str]] = {
    "gender": ("By gender", "genders"),
    "race": ("By race label", "race labels"),
    "age_group": ("By true age, years", "age groups"),
    "race_gender": ("By race label and gender", "race labels and genders"),
}
_PICTURES: Mapping[str, tuple[str, str]] = {
    "brightness": ("By brightness of the picture", "levels of brightness"),
    "sharpness": ("By sharpness of the picture", "levels of sharpness"),
}


def overall(known: Known) -> Section:
    """All figures of the test faces with intervals, beside what is to beat; thresholds."""
    test, champion = known.row["test"], known.board["champion"]
    is_constant = champion["version"] == CONSTANT_VERSION
    other = "constant predictor" if is_constant else champion["name"]
    rows = [
        (
            name,
            number(test.get(key), form),
            ends(interval(test, key), form),
            number(champion["test"].get(key), form),
        )
        for key, (name, form) in _FIGURES.items()
    ]
    blocks: list[Block] = [
        Text(
            f"On the {count(known.faces)} test faces, which nothing was learned from and no "
            f"candidate was ranked by. Beside them what was to beat: {'the ' * is_constant}{other}."
        ),
        Table(
            f"Figures of {counted(known.faces, 'test face')}",
            ("figure", known.name, "95%", other),
            rows,
        ),
        Text(
            "MAE: the mean absolute error. 95%: a range made so that 95 in 100 such hold the "
            "figure of all faces of the kind; by the standard error, of shares by Wilson's "
            "method; - where none was worked out."
        ),
    ]
    if margins := tables.margins(known.row):
        blocks += [
            Text("What it had to reach before it could be published:"),
            Points([f"{'kept' if kept else 'broken'}: {line}" for kept, line in margins]),
        ]
    blocks.append(pictures(known, "age_groups", "age_scatter", "confusion"))
    return Section("How good it is", blocks)


def served_worse(known: Known) -> Section:
    """Figures of every group, the worst of them in words."""
    sentences = list(_worst(known, _GROUPS))
    few = known.board["slices"]["min_size"]
    blocks: list[Block] = [
        Points(sentences)
        if sentences
        else Text(f"No group has {few} test faces or more: too few to say who is served worse.")
    ]
    blocks += [_slices(known, name, title) for name, (title, _) in _GROUPS.items()]
    blocks += [_few(few), pictures(known, "slices")]
    return Section("Who is served worse", blocks)


def picture_quality(known: Known) -> Section:
    """Figures by light and sharpness, and of pictures spoilt on purpose."""
    blocks: list[Block] = []
    if sentences := list(_worst(known, _PICTURES)):
        blocks.append(Points(sentences))
    blocks += [_slices(known, name, title) for name, (title, _) in _PICTURES.items()]
    blocks += [
        _few(known.board["slices"]["min_size"]),
        tables.robustness(known.report.content),
        Text(
            "Age shift: how much older the same faces are taken for than as found, years. In "
            "range: true ages within the answered range."
        ),
    ]
    return Section("Light and picture quality", blocks)


def _few(least: int) -> Text:
    return Text(f"Groups of fewer than {least} faces are shown, and not judged: chance moves them.")


def _slices(known: Known, dimension: str, title: str) -> Table:
    slices = known.row["slices"]
    rows = [
        (
            words(name),
            number(slices[name].get("examples"), "{:,.0f}"),
            number(slices[name].get(AGE_MAE), YEARS),
            ends(interval(slices[name], AGE_MAE), YEARS),
            number(slices[name].get(GENDER_ACCURACY), SHARE),
            ends(interval(slices[name], GENDER_ACCURACY), SHARE),
        )
        for name in along(slices, dimension)
    ]
    head = ("group", "faces", "age MAE", "95%", "gender right", "95%")
    return Table(title, head, rows)


def _worst(known: Known, dimensions: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """A sentence for each dimension on who is worst off, of those with enough faces."""
    for dimension, (_, called) in dimensions.items():
        found: Mapping[str, Any] = known.row["worst_slices"].get(dimension, {})
        said = []
        if worst := found.get(AGE_MAE):
            said.append(
                f"ages are furthest off for {words(worst['slice'])}: MAE {worst['value']:.2f} "
                f"years of {counted(worst['examples'], 'face')} against {worst['overall']:.2f} of "
                f"all, {worst['gap']:.2f} times as much{_allowed(worst['limit'], 1, 'times')}"
            )
        if worst := found.get(GENDER_ACCURACY):
            said.append(
                f"gender is wrong most often for {words(worst['slice'])}: right for "
                f"{worst['value']:.1%} of {counted(worst['examples'], 'face')} against "
                f"{worst['overall']:.1%} of all{_allowed(worst['limit'], 100, 'points less')}"
            )
        if said:
            yield f"Of the {called}, {'; '.join(said)}."


def _allowed(limit: float | None, scale: float, unit: str) -> str:
    return "" if limit is None else f" ({scale * limit:g} {unit} allowed)"
