"""What the model was made of: files, splits, who is in them."""

from collections import Counter
from collections.abc import Callable, Sequence

from components.data_report import charts
from components.data_report.measures import LABELS
from components.face_example_gen.ledger import Cell
from components.face_example_gen.rejects import BY_CHOICE
from components.model_card.blocks import Block, Chart, Points, Section, Text
from components.model_card.known import Known
from components.model_card.numbers import SHARE, count, counted
from components.selector.tables import Table
from schema import features

_USES = {
    "train": "learned from",
    "val": "when to stop, who wins",
    "calib": "ranges of age, probabilities",
    "test": "the figures of this card",
}


def data(known: Known) -> Section:
    """Where the faces come from, which were used, and how they are spread."""
    ledger = known.ledger
    source = "faces drawn by agegender itself" if known.is_drawn else known.about.source
    used = ledger.used.total()
    became = f"all {counted(used, 'file')} were used"
    if ledger.rejected:
        became = f"of {counted(ledger.found, 'file')} {count(used)} were used"
    blocks: list[Block] = [
        Text(
            f"Source: {source}; {became}. The splits follow from the pixels: equal "
            "pictures never lie in two."
        )
    ]
    if ledger.rejected:
        blocks.append(_rejects(known))
    blocks += [_splits(known), *_gate(known)]
    by_gender = {(cell.age, cell.gender): 0 for cell in ledger.used}
    for cell, faces in ledger.used.items():
        by_gender[cell.age, cell.gender] += faces
    races = Counter[tuple[str, int]]()
    for cell, faces in ledger.used.items():
        races[features.RACES[cell.race], cell.gender] += faces
    blocks += [
        Chart("Faces per year of age: women upwards, men downwards", charts.ages(by_gender)),
        _spread(known, features.AGE_GROUP, "Age groups, years"),
        Chart("Faces by race label and gender", charts.bars("races", features.RACES, races)),
        _spread(known, features.RACE, "Race labels"),
    ]
    return Section("Data", blocks)


def _rejects(known: Known) -> Table:
    rows = [
        (reason, count(files), "left out by choice" if reason in BY_CHOICE else "unfit")
        for reason, files in known.ledger.rejected.most_common()
    ]
    return Table("Files that were not used", ("reason", "files", ""), rows)


def _splits(known: Known) -> Table:
    faces = Counter[str]()
    for cell, number in known.ledger.used.items():
        faces[cell.split] += number
    total = faces.total()
    rows = [(name, count(faces[name]), _share(faces[name], total), _USES[name]) for name in _USES]
    return Table("Splits", ("split", "faces", "share", ""), rows)


def _gate(known: Known) -> Sequence[Block]:
    """What the rules on the data said."""
    asked = sum(rule.passed is not None for rule in known.verdict.rules)
    if known.verdict.passed:
        return [Text(f"Before anything was learned the data kept all {counted(asked, 'rule')}.")]
    broken = known.verdict.violated
    return [
        Text(f"A person accepted the data although they broke {len(broken)} of {asked} rules:"),
        Points([f"{rule.rule}: {rule.measured}; must be {rule.bound}" for rule in broken]),
    ]


def _spread(known: Known, name: str, title: str) -> Table:
    """Faces of all splits by a label and gender."""
    label = LABELS[name]
    counts = Counter[tuple[str, int]]()
    of: Callable[[Cell], object] = label.of
    for cell, faces in known.ledger.used.items():
        counts[str(of(cell)), cell.gender] += faces
    total = counts.total()
    rows = []
    for value in map(str, label.values):
        each = [counts[value, gender] for gender in range(len(features.GENDERS))]
        rows.append((value, *map(count, each), count(sum(each)), _share(sum(each), total)))
    return Table(
        f"{title}, all splits", (name.replace("_", " "), *features.GENDERS, "all", "share"), rows
    )


def _share(part: float, total: float) -> str:
    return SHARE.format(part / total) if total else "-"
