"""A check in a table: for a terminal, and as Markdown."""

from typing import Any

HEAD = ("", "age MAE", "in range", "gender", "size", "one face")


def title(check: dict[str, Any]) -> str:
    """What the table is of."""
    return f"On {check['faces']:,} test faces; one face on one core, decoding included"


def rows(check: dict[str, Any]) -> list[tuple[str, ...]]:
    """The servable's figures, the export's and how they differ, as HEAD says."""
    speed, size = check["speed"], check["bytes"]
    found: list[tuple[str, ...]] = []
    for label, key in (("SavedModel", "servable"), ("this file", "export")):
        figures = check[key]
        found.append(
            (
                label,
                f"{figures['age_mae']:.3f}",
                f"{figures['age_coverage']:.1%}",
                f"{figures['gender_accuracy']:.2%}",
                f"{size[key] / 1e6:.1f} MB",
                f"{speed[f'{key}_ms']:.1f} ms",
            )
        )
    change = check["change"]
    found.append(
        (
            "change",
            f"{change['age_mae']:+.3f}",
            f"{100 * change['age_coverage']:+.1f} pts",
            f"{100 * change['gender_accuracy']:+.2f} pts",
            f"{size['export'] / size['servable'] - 1:+.0%}",
            f"{speed['export_ms'] / speed['servable_ms'] - 1:+.0%}",
        )
    )
    return found


def apart(check: dict[str, Any]) -> str:
    """How far the answers lie apart, in one line."""
    difference = check["difference"]
    return (
        f"On average answers differ by {difference['age_years']:.3f} years and "
        f"{difference['female_probability']:.4f} of probability; {difference['other_gender']:.2%} "
        f"of faces get another gender, {difference['other_age_group']:.2%} another age group."
    )


def markdown(name: str, content: dict[str, Any]) -> str:
    """The file beside an export: what it is, and the table where it was checked."""
    model, check = content["model"], content["check"]
    version = f", version {model['version']}" if model["version"] else ""
    lines = [
        f"# {name}",
        "",
        f"`{model['candidate']}`{version}, run `{model['run']}`, content "
        f"`{model['content_digest'][:16]}`; {content['quantize']}.",
        "",
    ]
    if check is None:
        return "\n".join([*lines, "Not checked against its SavedModel.", ""])
    lines += [f"{title(check)}:", "", _row(HEAD)]
    lines.append(_row(["---", *["---:"] * (len(HEAD) - 1)]))
    lines += [_row(row) for row in rows(check)]
    return "\n".join([*lines, "", apart(check), ""])


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"
