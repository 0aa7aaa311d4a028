"""What `report.json` holds, and what lies beside it.

```
name        of the candidate, or "champion"
faces       of split test
pictures    [{file, title, caption, wide}] in the order they are shown; PNG files beside it
speed       {latency_ms, images_per_second, batch, calls, batches, cores, cpu}: see `speed`
robustness  {faces, seed, rows: [{change, strength, age_mae, age_shift, gender_accuracy,
            age_coverage}]}: see `robustness`
```

Beside it `answers.jsonl.gz`, a JSON line per face: all figures can be computed again from it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from components.finite import finite

FILE = "report.json"


class ReportSettings(BaseModel):
    """How much a report looks at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    robustness_faces: int = Field(
        default=500, gt=0, description="test faces that are tried dark, blurred and so on"
    )
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """A report that was read: its content, and the folder its pictures are in."""

    content: dict[str, Any]
    folder: Path

    @property
    def speed_facts(self) -> dict[str, float]:
        """`latency_ms` and `images_per_second`."""
        speed = self.content["speed"]
        return {name: speed[name] for name in ("latency_ms", "images_per_second")}


def write(folder: Path, content: dict[str, Any]) -> None:
    """Writes `report.json`; what is not a number becomes null."""
    text = json.dumps(finite(content), indent=2, allow_nan=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> Report:
    """Reads what `write` wrote."""
    return Report(json.loads((folder / FILE).read_text(encoding="utf-8")), folder)
