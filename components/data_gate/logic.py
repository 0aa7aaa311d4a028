"""Whether data may be learned from."""

from typing import Any

from components.data_report.verdict import Verdict
from pipeline.errors import EXIT_DATA_GATE, UserError


def approve(verdict: Verdict, reason: str, accepted_by: str) -> dict[str, Any]:
    """The approval: the rules that were violated, and who accepted that and why.

    Data without fault need nobody's word: reason and name are then left empty.

    Args:
      verdict: on the data.
      reason: why they are accepted all the same; "" when they are not.
      accepted_by: who says so.

    Raises:
      UserError: with exit code 4, when they are not accepted.
    """
    violated = [rule.rule for rule in verdict.violated]
    if violated and not reason:
        count = f"{len(violated)} rule{'s' if len(violated) > 1 else ''}"
        raise UserError(
            f"the data gate: {count} violated: {', '.join(violated)}; mend the data or the bounds "
            'in expectations, or accept them with --accept-data --reason "why"',
            EXIT_DATA_GATE,
        )
    said = (reason, accepted_by) if violated else ("", "")
    return {"violated": violated, "reason": said[0], "accepted_by": said[1]}
