"""The leaderboard as one page that needs nothing but itself."""

import base64
from collections.abc import Mapping
from typing import Any

import jinja2

from components.model_report.report import Report
from components.selector import tables
from components.selector.tables import Content, Row

FILE = "leaderboard.html"

_PAGE = jinja2.Environment(
    loader=jinja2.PackageLoader("components.selector"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(content: Content, reports: Mapping[str, Report]) -> str:
    """The HTML of the page: no scripts, and nothing loaded from anywhere.

    Args:
      content: see `leaderboard`.
      reports: of every candidate and the champion, by the name in its row.
    """
    rows = [*content["candidates"], content["champion"]]
    return _PAGE.get_template("leaderboard.html.j2").render(
        content=content,
        faces=max(reports[row["name"]].content["faces"] for row in rows),
        notes=tables.notes(content),
        summary=tables.summary(content),
        verdicts=[tables.verdict(content, row) for row in rows],
        tables=tables.tables(content),
        measured_how=tables.measured_how(reports[rows[0]["name"]].content),
        legend=tables.LEGEND,
        sections=[_section(content, row, reports[row["name"]]) for row in rows],
    )


def _section(content: Content, row: Row, report: Report) -> dict[str, Any]:
    return {
        "name": row["name"],
        "verdict": tables.verdict(content, row),
        "margins": tables.margins(row),
        "broken": row.get("failed", []),
        "spoilt": tables.robustness(report.content),
        "pictures": [
            picture | {"data": inlined(report, picture["file"])}
            for picture in report.content["pictures"]
        ],
    }


def inlined(report: Report, file: str) -> str:
    """A picture of a report as a URL that holds it."""
    encoded = base64.b64encode((report.folder / file).read_bytes()).decode()
    return f"data:image/png;base64,{encoded}"
