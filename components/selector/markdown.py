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
    parts += [_table(one) for one in tables.tables(content)]
    parts.append(f"{tables.measured_how(reports[rows[0]['name']].content)} {tables.LEGEND}")
    for row in content["candidates"]:
        kept = [f"{'kept' if passed else 'BROKEN'}: {line}" for passed, line in tables.margins(row)]
        broken = [f"BROKEN: {line}" for line in row["failed"]]
        said = [line for line in kept if line.startswith("kept")] + broken
        parts.append(f"**{row['name']}**, {tables.verdict(content, row)}\n\n" + _list(said))
    for row in content["candidates"]:
        spoilt = tables.robustness(reports[row["name"]].content)
        parts.append(_table(spoilt._replace(title=f"{row['name']}: {spoilt.title.lower()}")))
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    # The first column, and headless ones, hold words.
    lines = ["---" if not place or not name else "---:" for place, name in enumerate(table.head)]
    rows = [_line(table.head), _line(lines), *map(_line, table.rows)]
    return f"**{table.title}**\n\n" + "\n".join(rows)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
