"""The project's own artifact types.

Without PROPERTIES: Kubeflow recreates a custom type from its name alone, so what a node wants to
say about an artifact goes into custom properties. TYPE_NAME is the import path Kubeflow uses.
"""

from tfx.types.artifact import Artifact


class Rejects(Artifact):
    """`rejects.jsonl`: an object per input file that was not used: `file`, `reason`, `detail`."""

    TYPE_NAME = "components.Rejects"


class Leaderboard(Artifact):
    """`leaderboard.json`: every candidate with its figures, and why it was or was not chosen."""

    TYPE_NAME = "components.Leaderboard"


class DataVerdict(Artifact):
    """`verdict.json`: every rule and what came of it; `report.html`: what the data are like."""

    TYPE_NAME = "components.DataVerdict"


class DataApproval(Artifact):
    """`approval.json`: the rules the data violated and, if any, who accepted that and why."""

    TYPE_NAME = "components.DataApproval"


class ModelFindings(Artifact):
    """`report.json`, its pictures, `answers.jsonl.gz`: see `components.model_report.report`."""

    TYPE_NAME = "components.ModelFindings"


class ModelCard(Artifact):
    """`card.html` and `card.md`: what people should know of a model before they use it."""

    TYPE_NAME = "components.ModelCard"


class RunRecord(Artifact):
    """`record.json`: how the run ended, and under which record it is in MLflow."""

    TYPE_NAME = "components.RunRecord"
