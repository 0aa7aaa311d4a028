"""What is known of the model a card is about: all that the card looks at. Free of TensorFlow."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from components.data_report.verdict import Verdict
from components.face_example_gen.ledger import Ledger
from components.model_report.report import Report
from schema import features
from schema.age_groups import Scheme


class About(BaseModel):
    """What no artifact says of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(description="the data's name, never a whole path; empty: drawn faces")
    command: str = Field(description="what makes the model again")
    commit: str = Field("", description="of the code; empty where it is not known")
    age_groups: Scheme = "decades"


@dataclass(frozen=True)
class Publication:
    """What Publisher did: `version` is what is served, None when nothing was published."""

    version: int | None
    pushed: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Known:
    """What is known of the Selector's model.

    Attributes:
      board: the content of `leaderboard.json`, in which this model comes first.
      figures: of its training, `figures.json`.
      calibration: what was fitted on split calib, `calibration.json`.
      report: ModelReport's.
      ledger: what became of every file.
      verdict: on the data.
      about: the run.
      digest: of the servable's content.
      publication: what became of it.
      date: on which the card is written.
    """

    board: Mapping[str, Any]
    figures: Mapping[str, Any]
    calibration: Mapping[str, Any]
    report: Report
    ledger: Ledger
    verdict: Verdict
    about: About
    digest: str
    publication: Publication
    date: datetime.date

    @property
    def row(self) -> Mapping[str, Any]:
        """The model's row of the leaderboard."""
        found: Mapping[str, Any] = self.board["candidates"][0]
        return found

    @property
    def name(self) -> str:
        """The candidate's."""
        return str(self.row["name"])

    @property
    def faces(self) -> int:
        """Of split test."""
        return round(self.row["test"]["examples"])

    @property
    def trainings(self) -> Mapping[str, Mapping[str, Any]]:
        """The figures of each training, by the trained model's name: one, or a pair's two."""
        parts = self.figures.get("parts", {"": self.figures})
        return {str(one["model"]): one for one in parts.values()}

    @property
    def is_drawn(self) -> bool:
        """Whether the faces were drawn, for want of photographs."""
        return not self.about.source

    @property
    def is_utkface(self) -> bool:
        """Whether the data call themselves UTKFace, as far as a name can tell."""
        return "utkface" in self.about.source.lower()

    def slice(self, feature: str, value: str) -> Mapping[str, float]:
        """The figures of the test faces with a value; empty when there are none."""
        found: Mapping[str, float] = self.row["slices"].get(f"{feature}={value}", {})
        return found

    @property
    def hardest(self) -> Mapping[str, Mapping[str, float]]:
        """The figures of the youngest and the oldest age group, by its name."""
        ends = (features.AGE_GROUPS[0], features.AGE_GROUPS[-1])
        return {group: self.slice(features.AGE_GROUP, group) for group in ends}
