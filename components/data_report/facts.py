"""What is known of the data: all that the rules and the report look at. Free of TensorFlow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from components.face_example_gen.ledger import Ledger
from components.face_example_gen.rejects import Reject
from schema import features

PICTURE_FEATURES = (
    features.BRIGHTNESS,
    features.SHARPNESS,
    features.WIDTH,
    features.HEIGHT,
)


class Bar(NamedTuple):
    """A histogram's bar: how many faces have a value in [low, high]."""

    low: float
    high: float
    faces: float


@dataclass(frozen=True)
class Numbers:
    """A numeric feature over one split, in the feature's unit."""

    mean: float
    median: float
    smallest: float
    largest: float
    histogram: Sequence[Bar] = ()


class Anomaly(NamedTuple):
    """One of ExampleValidator's; `feature` is empty when it is about the whole split."""

    split: str
    feature: str
    what: str


@dataclass(frozen=True)
class Divergence:
    """How far the distributions of a feature are apart in two sets of faces.

    Attributes:
      feature: what was compared.
      pair: the two sets, in words.
      bits: their Jensen-Shannon divergence, 0 equal to 1 apart; None when it cannot be measured.
      threshold: the schema's, bits.
      noise: what chance alone may add to it, bits.
    """

    feature: str
    pair: str
    bits: float | None
    threshold: float
    noise: float

    @property
    def allowed(self) -> float:
        """The divergence at which the sets count as different, bits."""
        return self.threshold + self.noise


@dataclass(frozen=True)
class Facts:
    """What is known of the data.

    Attributes:
      ledger: what became of every file.
      rejects: every file that was not used, sorted by name.
      pictures: PICTURE_FEATURES by split; what is missing there could not be measured.
      anomalies: of all splits.
      between_splits: of the compared features, for every pair of splits.
      drift: the same against the last accepted data; None when there are none.
    """

    ledger: Ledger
    rejects: Sequence[Reject] = ()
    pictures: Mapping[str, Mapping[str, Numbers]] = field(default_factory=dict)
    anomalies: Sequence[Anomaly] = ()
    between_splits: Sequence[Divergence] = ()
    drift: Sequence[Divergence] | None = None
