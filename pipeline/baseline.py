"""Which earlier data this run's are compared with."""

from pathlib import Path

from ml_metadata import MetadataStore

from pipeline import record


def accepted_statistics(
    store: MetadataStore, data_uri: str, data_fingerprint: str, drawn: Path
) -> str:
    """The statistics of the last other data that passed the gate, or "" when there are none.

    The same data are passed over: a second run of them compares what the first one compared, and
    is reused. Photographs are never compared with drawn faces.

    Args:
      store: what earlier runs left.
      data_uri: this run's photographs.
      data_fingerprint: theirs.
      drawn: the folder below which the built-in samples lie.
    """
    is_drawn = Path(data_uri).is_relative_to(drawn)
    for gate in record.runs_of(store, "DataGate"):
        other = gate.parameters["data_fingerprint"] != data_fingerprint
        comparable = Path(gate.parameters["data_uri"]).is_relative_to(drawn) == is_drawn
        if gate.succeeded and other and comparable:
            statistics = gate.inputs["statistics"]
            return statistics.uri if statistics.path.exists() else ""
    return ""
