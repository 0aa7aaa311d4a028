"""The leaderboard as Markdown, fit for a README."""

from collections.abc import Mapping, Sequence

from components.model_report.report import Report
from components.selector import tables
from components.selector.tables import Content, Table

FILE = "leaderboard.md"


def render(content: Content, reports: Mapping[str, Report]) -> str:
    """All figures of `leaderboard.json`, the rules, and what spoilt pictures do.

    Args:
      content: see `leaderboard`.
      reports: of every candidate and the champion, by the name in its row.
    """
    rows = [*content["candidates"], content["champion"]]
    parts = [content["decision"], *tables.notes(content)]
    parts += [table(one) for one in tables.tables(content)]
    parts.append(f"{tables.measured_how(reports[rows[0]['name']].content)} {tables.LEGEND}")
    for row in content["candidates"]:
        kept = [f"{'kept' if passed else 'BROKEN'}: {line}" for passed, line in tables.margins(row)]
        broken = [f"BROKEN: {line}" for line in row["failed"]]
        said = [line for line in kept if line.startswith("kept")] + broken
        parts.append(f"**{row['name']}**, {tables.verdict(content, row)}\n\n" + bullets(said))
    for row in content["candidates"]:
        spoilt = tables.robustness(reports[row["name"]].content)
        parts.append(table(spoilt._replace(title=f"{row['name']}: {spoilt.title.lower()}")))
    return "\n\n".join(parts) + "\n"


def table(one: Table) -> str:
    """A table in Markdown, below its title."""
    # The first column, and headless ones, hold words.
    lines = ["---" if not place or not name else "---:" for place, name in enumerate(one.head)]
    rows = [_line(one.head), _line(lines), *map(_line, one.rows)]
    return f"**{one.title}**\n\n" + "\n".join(rows)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def bullets(lines: Sequence[str]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)
