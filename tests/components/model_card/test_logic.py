"""What a card says, and that it says no more than what is known."""

import dataclasses
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from components.model_card import markdown, page
from components.model_card.known import About, Known, Publication
from components.model_card.logic import card
from components.model_report.report import Report
from components.selector.intervals import intervals, share_interval
from tests.components.model_card import conftest
from tests.components.model_card.conftest import Make


def in_markdown(known: Known) -> str:
    # As it is read: without the backslashes that keep it from being markup.
    return markdown.render(card(known)).replace("\\", "")


def test_every_figure_comes_with_its_interval_and_its_number_of_faces(make: Make) -> None:
    known = make()
    test = known.row["test"]
    low, high = intervals(test)["age_mae"]
    said = in_markdown(known)
    assert f"| age MAE, years | 5.13 | {low:.2f}-{high:.2f} | 14.83 |" in said
    low, high = share_interval(0.906 * 1234, 1234)
    assert f"| true ages in the answered range | 90.6% | {100 * low:.1f}-{high:.1%} |" in said
    assert "On the 1,234 test faces" in said
    of_women = known.row["slices"]["gender=1"]
    low, high = intervals(of_women)["gender_accuracy"]
    assert f"| female | 121 | 5.18 | {intervals(of_women)['age_mae'][0]:.2f}-" in said
    assert f"| 92.1% | {100 * low:.1f}-{high:.1%} |" in said
    oldest = known.row["slices"]["age_group=80+"]
    assert f"Ages 80+, as errors grow with age: age MAE {oldest['age_mae']:.2f} (" in said
    assert f"of {oldest['examples']:.0f} test faces" in said


def test_it_says_what_the_artifacts_say(make: Make) -> None:
    said = in_markdown(make())
    for whole in (
        "# Model card: multitask",
        "Published as version 3.",
        "345,678",
        "1.7 MB",
        "2.3 ms for one face, 812 faces a second",
        "f00d" * 16,
        "2026-11-24",
        "64 x 64 pixels, in colour; answers with the mean over a picture and its mirror image",
        "Source: UTKFace.tar.gz; of 1,766 files 1,504 were used",
        "| duplicate | 259 | unfit |",
        "| train | 1,213 | 80.7% | learned from |",
        "| 20-29 | 0 | 700 | 700 | 46.5% |",
        "| Black | 513 | 0 | 513 | 34.1% |",
        "non-commercial research only",
        "the data kept all 1 rule",
        "kept: age MAE 5.13 years: 1.12 under the limit of 6.25 years",
        "ages are furthest off for female: MAE 5.18 years of 121 faces against 5.13 of all",
        "| darker | 25% of the light | 6.27 | -1.53 | 88.3% | - |",
        "fitted on 1,483 faces of split calib (conformalised quantiles; 2 groups",
        "a temperature of 1.37",
        "from 0.041 to 0.012",
        "**Seed**: 7",
        "1,679 seconds",
        "mixed_bfloat16",
        "| learning_rate | 0.00213 |",
        "    agegender run --profile cpu",
        "is commit 0123456789ab.",
    ):
        assert whole in said
    assert "/home/someone" not in said
    assert "transfer." not in said  # a multitask model has no backbone


def test_no_measurement_is_written_into_the_text_itself(make: Make) -> None:
    kept = ("ledger", "verdict", "about", "digest", "publication", "date")
    first = make(0.0)
    second = make(0.37, **{name: getattr(first, name) for name in kept})
    # All that was measured differs between them: what is alike has to come from elsewhere.
    one, other = (re.findall(r"\d+\.\d+%?", _but_data(known)) for known in (first, second))
    assert len(one) == len(other) > 300
    alike = {number for number, its_like in zip(one, other, strict=True) if number == its_like}
    settings = {"6.25", "88.5%", "0.955", "1.3", "1.5", "2.5"}  # thresholds, limits of slices
    assert alike <= settings | {"0.5", "1.7"}  # female from; the size, which is alike


def _but_data(known: Known) -> str:
    before, _, after = in_markdown(known).partition("## Training")[0].partition("## Data")
    return before + after.partition("## How good it is")[2]


def test_what_is_not_known_is_left_out_or_said_to_be_so(make: Make) -> None:
    known = make()
    row = known.row | {"slices": {}, "worst_slices": {}, "thresholds": {}}
    row["test"] = dict.fromkeys(known.row["test"]) | {"examples": 1234.0}
    content = known.report.content | {"pictures": []}
    bare = dataclasses.replace(
        known,
        board=known.board | {"candidates": [row]},
        calibration={"age": None, "gender": None},
        report=Report(content, known.report.folder),
        about=About(source="faces", command="agegender run"),
        figures=known.figures | {"precision": "not known", "hyperparameters_from": ""},
    )
    said = in_markdown(bare)
    assert "Its commit is not known." in said
    assert "no test face, so nothing is known of them" in said
    assert "| age MAE, years | - | - | 14.83 |" in said
    assert "this card does not know" in said
    assert "temperature" not in said
    assert "too few to say who is served worse" in said
    for text in (said, page.render(card(bare))):
        assert not re.search(r"\b(None|nan|inf)\b", text)


def test_a_model_that_was_not_published_says_so_first_and_why(make: Make) -> None:
    known = make(
        board=conftest.board(0.0, "age_mae 9 is above 8"),
        publication=Publication(None, reason="No candidate passed (multitask is best)."),
    )
    said = in_markdown(known)
    assert said.split("\n\n")[1:3] == [
        "**Not published: No candidate passed (multitask is best).**",
        "- age_mae 9 is above 8",
    ]
    assert "**Version**: none: not published" in said
    html = page.render(card(known))
    assert html.index('<div class="verdict bad">') < html.index("age_mae 9 is above 8")
    assert html.index("age_mae 9 is above 8") < html.index("<h2")


def test_a_model_that_was_served_before_says_so(make: Make) -> None:
    found = card(make(publication=Publication(4, pushed=False, reason="already serving version 4")))
    assert found.published
    assert found.status == "Served as version 4, and already before this run."


def test_specialists_are_told_apart_and_drawn_faces_from_photographs(make: Make) -> None:
    parts = {"gender": conftest.training("gender_cnn", 0), "age": conftest.training("age_cnn", 0.4)}
    said = in_markdown(
        make(
            figures={"model": "specialists", "mirror": False, "parts": parts},
            about=About(source="", command="agegender run --profile sample", commit="ab-dirty"),
        )
    )
    assert "| setting | gender_cnn | age_cnn |" in said
    assert "| learning_rate | 0.00213 | 0.00253 |" in said
    assert "Faces that were drawn, not photographs" in said
    assert "is commit ab with changes that were not committed" in said


def test_a_backbone_is_named_but_not_where_its_weights_lie(make: Make) -> None:
    figures = conftest.training("transfer_resnet50", 0)
    figures["hyperparameters"]["transfer"]["weights"] = "/home/someone/resnet.weights.h5"
    said = in_markdown(make(figures=figures))
    assert "the backbone resnet50, started from weights in a file" in said
    assert "| transfer.weights | resnet.weights.h5 |" in said
    assert "architecture.widths" not in said
    assert "/home" not in said


def test_data_that_a_person_accepted_are_not_said_to_be_sound(make: Make) -> None:
    said = in_markdown(make(verdict=conftest.verdict(passed=False)))
    assert "although they broke 1 of 1 rules" in said
    assert "- female_share: all 48.1%; must be at least 40%" in said


HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:b) `c` |d| \n# e"


def test_nothing_it_is_told_becomes_markup(make: Make) -> None:
    about = About(source=HOSTILE, command=f"agegender run --data '{HOSTILE}'", commit=HOSTILE)
    known = make(about=about, publication=Publication(None, reason=HOSTILE))
    html, text = page.render(card(known)), markdown.render(card(known))
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    outside_code = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    assert "<img" not in outside_code
    assert "[a]" not in outside_code
    assert not re.search(r"^# e", text, re.MULTILINE)


def test_its_markdown_tables_are_whole(make: Make) -> None:
    blocks = [b for b in markdown.render(card(make())).split("\n\n") if b.startswith("|")]
    assert len(blocks) > 10
    for block in blocks:
        head, line, *rows = block.splitlines()
        assert rows
        assert re.fullmatch(r"\|( -+:? \|)+", line)
        assert len({len(re.findall(r"(?<!\\)\|", one)) for one in (head, line, *rows)}) == 1


class Page(HTMLParser):
    """What a screen reader goes by."""

    VOID = frozenset({"meta", "img", "path", "use"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img" or given.get("role") == "img":
            self.images.append(given)
        self.addresses += [given[key] or "" for key in ("src", "href") if key in given]
        if "id" in given:
            self.ids.append(given["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture
def read(make: Make) -> Page:
    reader = Page()
    reader.feed(page.render(card(make())))
    return reader


def test_the_page_needs_nothing_but_itself(read: Page) -> None:
    assert {one[:5] for one in read.addresses if not one.startswith("#")} == {"data:"}
    assert {one[1:] for one in read.addresses if one.startswith("#")} <= set(read.ids)
    assert len(read.ids) == len(set(read.ids))


def test_the_page_can_be_read_without_eyes(read: Page) -> None:
    assert read.open == []
    assert read.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(read.headings))
    assert all(one.get("alt") or one.get("aria-label") for one in read.images)


def test_nobodys_face_is_in_it(make: Make) -> None:
    shown = [
        one.title
        for section in card(make()).sections
        for block in section.blocks
        for one in getattr(block, "pictures", ())
    ]
    assert "slices" in shown
    assert not {"mistakes", "looks", "spoilt"} & set(shown)
