import re
from html.parser import HTMLParser

import pytest

from components.data_report import page
from components.data_report.expectations import Rule
from components.data_report.facts import Facts
from components.data_report.logic import judge
from components.face_example_gen.ledger import Ledger
from components.face_example_gen.rejects import Reason, Reject
from tests.components.data_report.conftest import all_facts

RULES = {
    "few": Rule(measure="examples", at_least=2, at_most=1000),
    "many": Rule(measure="examples", at_least=99, advice="Add <b>pictures</b>: `agegender run`."),
    "race": Rule(measure="share", of="race"),
}
HOSTILE = "<script>alert('1')</script>&\"><img src=x>.jpg"


class Parsed(HTMLParser):
    """What a browser would see: tags with their attributes, ids, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        return "".join(self.data)

    @property
    def words(self) -> str:
        """The text with a space between any two elements, and no more than one."""
        return " ".join(" ".join(self.data).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.data.append(data)


def rendered(facts: Facts) -> str:
    return page.render(judge(RULES, facts, HOSTILE), facts)


def test_it_says_what_came_of_every_rule_the_violated_first(facts):
    text = Parsed(rendered(facts)).text
    places = [
        text.index(word) for word in ("These data stop here", "many ✗ violated", "few", "race")
    ]
    assert places == sorted(places)
    for rule in judge(RULES, facts, "").rules:
        assert rule.measured in text
        assert rule.bound in text
    assert "Add <b>pictures</b>: agegender run." in text


def test_it_shows_rejects_conflicts_balance_anomalies_and_divergences(facts):
    text = Parsed(rendered(facts)).words
    assert "6 sound faces were left out by choice: 6 in train" in text
    assert "2 files are copies of 1 picture under labels that contradict" in text
    assert "1_0_0_4.jpg 0-4: 0.3 and 1 more" in text
    assert "too wide." in text
    assert "test against train 0.0900 0.0600 0.05 0.0100 ✗ apart" in text
    assert "val against the last accepted val 0.0300 0.0600" in text
    assert "No earlier data to compare with." in Parsed(rendered(all_facts(drift=None))).text


@pytest.mark.parametrize("facts", [all_facts(), Facts(ledger=Ledger())], ids=["full", "empty"])
def test_it_loads_nothing_and_runs_nothing(facts):
    html = rendered(facts)
    tags = Parsed(html).tags
    assert not {"script", "link", "img", "iframe", "object", "embed", "image"} & {
        t for t, _ in tags
    }
    links = [a[key] for _, a in tags for key in ("src", "href", "xlink:href", "action") if key in a]
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"https?:|@import|url\((?!#)", html)
    assert len(html) < 1_000_000


def test_ids_are_unique_and_references_meet(facts):
    tags = Parsed(rendered(facts)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"] for _, a in tags if "href" in a} <= {f"#{i}" for i in ids}


def test_names_of_files_stay_text():
    rejects = [Reject(HOSTILE, Reason.TRUNCATED, "<i>"), Reject("\udcff.jpg", Reason.BAD_NAME, "")]
    parsed = Parsed(rendered(all_facts(rejects=rejects)))
    assert parsed.text.count(HOSTILE) == 2  # of the source and of the reject
    assert not {"script", "img", "i"} & {tag for tag, _ in parsed.tags}


def test_charts_have_words_and_take_the_page_s_colours(facts):
    html = rendered(facts)
    labels = [a["aria-label"] for _, a in Parsed(html).tags if a.get("role") == "img"]
    assert len(labels) == 4
    assert all(labels)
    assert "#0102" not in html
    assert html.count("var(--c3)") > 1  # the stylesheet does not use it itself


def test_it_is_the_same_every_time(facts):
    assert rendered(facts) == rendered(facts)
