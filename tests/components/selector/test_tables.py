"""The leaderboard in words, and the page and the Markdown made of them."""

import re

import pytest

from components.model_report.report import Report
from components.selector import markdown, page, tables
from components.selector.leaderboard import leaderboard
from components.selector.logic import Candidate, Champion, Thresholds, choose
from components.selector.slices import SliceLimits

THRESHOLDS = Thresholds(max_age_mae=8, min_gender_accuracy=0.8, min_auc=0.95)


def figures(age_mae, gender_accuracy=0.9, gender_auc=0.97):
    return {
        "age_mae": age_mae, "gender_accuracy": gender_accuracy, "gender_auc": gender_auc,
        "age_mse": 2 * age_mae**2, "examples": 100.0,
    }  # fmt: skip


def candidate(name, val_mae, *failed, **test):
    return Candidate(
        name,
        figures(val_mae),
        {"overall": figures(**({"age_mae": 6.0} | test))},
        failed,
        name,
        {"parameters": 85734, "bytes": 1_700_000, "training_seconds": 62.4, "latency_ms": 0.84},
    )


def board(*candidates, version=0):
    champion = Champion(version, {"overall": figures(16.0, 0.5, 0.5)}, "old")
    limits = SliceLimits()
    decision = choose(candidates, champion, THRESHOLDS)
    return leaderboard(candidates, champion, THRESHOLDS, limits, 0.0, decision)


def reports(content, folder):
    (folder / "ages.png").write_bytes(b"picture")
    row = {
        "change": "rotated", "strength": "90°", "age_mae": 17.31, "age_shift": -5.0,
        "gender_accuracy": 0.44, "age_coverage": None,
    }  # fmt: skip
    said = {
        "faces": 1234,
        "pictures": [{"file": "ages.png", "title": "A <b>", "caption": "", "wide": True}],
        "speed": {"calls": 10, "batches": 9, "batch": 32, "cpu": "Chip & Co"},
        "robustness": {"faces": 500, "seed": 0, "rows": [row]},
    }
    rows = [*content["candidates"], content["champion"]]
    return {row["name"]: Report(said, folder) for row in rows}


def test_by_how_much_a_threshold_was_met_or_missed_is_said_with_its_unit():
    content = board(
        candidate("good", 4, age_mae=7.5),
        candidate("bad", 5, "x", age_mae=9.25, gender_accuracy=0.79, gender_auc=float("nan")),
        candidate("even", 6, age_mae=8.0),
    )
    said = {row["name"]: tables.margins(row) for row in content["candidates"]}
    assert said["good"] == [
        (True, "age MAE 7.50 years: 0.50 under the limit of 8 years"),
        (True, "gender accuracy 90.0%: 10.0 points over the limit of 80%"),
        (True, "AUC 0.970: 0.020 over the limit of 0.95"),
    ]
    assert said["bad"] == [
        (False, "age MAE 9.25 years: 1.25 over the limit of 8 years"),
        (False, "gender accuracy 79.0%: 1.0 points under the limit of 80%"),
        (False, "AUC is not a number"),
    ]
    assert said["even"][0] == (True, "age MAE 8.00 years: at the limit of 8 years")


def test_equal_scores_rank_by_name_and_it_is_said():
    content = board(candidate("b", 4), candidate("a", 4), candidate("c", 5))
    assert [row["name"] for row in content["candidates"]] == ["a", "b", "c"]
    assert tables.notes(content) == [
        "a and b have the same score on val: equal scores rank by name."
    ]
    # One that broke a rule has lost whatever its score.
    assert tables.notes(board(candidate("b", 4), candidate("a", 4, "x"))) == []


def test_when_none_passed_that_is_said_everywhere(tmp_path):
    content = board(candidate("a", 4, "age_mae 9 is above 8", "slow"), candidate("b", 3, "slow"))
    assert [row["name"] for row in content["candidates"]] == ["b", "a"]
    rows = [*content["candidates"], content["champion"]]
    verdicts = [tables.verdict(content, row) for row in rows]
    assert verdicts == ["failed 1 rule", "failed 2 rules", "to beat"]
    html = page.render(content, reports(content, tmp_path))
    assert "No candidate passed." in html
    assert "wins" not in html
    for text in (html, markdown.render(content, reports(content, tmp_path))):
        assert "None passed: nothing is published" in text
        assert "age_mae 9 is above 8" in text


def test_a_winner_that_the_champion_beats_is_not_said_to_be_published():
    content = board(candidate("a", 4, age_mae=7.9), version=3) | {"blessed": False}
    assert tables.verdict(content, content["candidates"][0]) == "winner, not published"


def test_the_tables_hold_a_row_each_best_first_the_champion_last():
    content = board(candidate("slow", 5), candidate("good", 4))
    for table in tables.tables(content):
        assert [row[0] for row in table.rows] == ["good", "slow", "constant"]
        assert all(len(row) == len(table.head) for row in table.rows)
    age, gender, cost = (table.rows[0] for table in tables.tables(content))
    assert age[1:3] == ("6.00", "4.8-7.2")
    assert tables.summary(content).rows[0][2:4] == ("6.00 (4.8-7.2)", "90.0% (83-94)")
    assert gender[1:3] == ("90.0%", "83-94")
    assert cost[1:] == ("85,734", "1.7", "0.8", "-", "62 s", "1.000", "passed")


def test_the_page_loads_nothing_and_escapes_what_it_is_told(tmp_path):
    content = board(candidate("good", 4))
    html = page.render(content, reports(content, tmp_path))
    assert "A &lt;b&gt;" in html
    assert "Chip &amp; Co" in html
    assert "the same 1,234 test faces" in html
    assert '<tr class="winner"><td class="words">1</td>' in html
    assert set(re.findall(r'(?:src|href)="([^"]{5})', html)) == {"data:", "#mode"}
    assert not re.search(r"<script|https?://|url\(", html)


def test_the_markdown_is_made_of_whole_tables(tmp_path):
    content = board(candidate("good", 4), candidate("we|ird", 5, "slow"))
    text = markdown.render(content, reports(content, tmp_path))
    assert "| we\\|ird | 6.00 | 4.8-7.2 |" in text
    assert "| rotated | 90° | 17.31 | -5.00 | 44.0% | - |" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(bars) == 1
    assert "**we|ird**, failed 1 rule" in text


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "-"), (7, "7 s"), (99.6, "2 min"), (5970, "1.7 h")]
)
def test_times(seconds, said):
    assert (
        tables.tables(
            {
                "candidates": [],
                "champion": board(candidate("a", 4))["champion"]
                | {"model": {"training_seconds": seconds}},
            }
        )[2].rows[0][5]
        == said
    )
