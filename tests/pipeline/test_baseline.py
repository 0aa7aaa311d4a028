from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline import record
from pipeline.baseline import accepted_statistics

COMPLETE, FAILED = mlmd.Execution.COMPLETE, mlmd.Execution.FAILED


class Runs:
    """Hand-made gates in an MLMD store, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.drawn = folder, folder / "sample"
        self.store: MetadataStore = record.open_store(folder / "metadata.db")
        execution, artifact, node = mlmd.ExecutionType(), mlmd.ArtifactType(), mlmd.ContextType()
        execution.name, artifact.name, node.name = "DataGate", "ExampleStatistics", "node"
        self.execution = self.store.put_execution_type(execution)
        self.artifact = self.store.put_artifact_type(artifact)
        context = mlmd.Context(type_id=self.store.put_context_type(node), name="agegender.DataGate")
        (self.context,) = self.store.put_contexts([context])

    def gate(self, data_uri: str, fingerprint: str, state: int = COMPLETE) -> str:
        """A gate that judged these data; returns where their statistics are."""
        statistics = self.folder / "statistics" / fingerprint
        statistics.mkdir(parents=True, exist_ok=True)
        (fed,) = self.store.put_artifacts(
            [mlmd.Artifact(type_id=self.artifact, uri=str(statistics))]
        )
        gate = mlmd.Execution(type_id=self.execution, last_known_state=state)
        gate.custom_properties["data_uri"].string_value = data_uri
        gate.custom_properties["data_fingerprint"].string_value = fingerprint
        (done,) = self.store.put_executions([gate])
        event = mlmd.Event(artifact_id=fed, execution_id=done, type=mlmd.Event.INPUT)
        event.path.steps.add().key = "statistics"
        self.store.put_events([event])
        self.store.put_attributions_and_associations(
            [], [mlmd.Association(context_id=self.context, execution_id=done)]
        )
        return str(statistics)

    def baseline_of(self, data_uri: str, fingerprint: str) -> str:
        return accepted_statistics(self.store, data_uri, fingerprint, self.drawn)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_the_first_data_have_nothing_to_be_compared_with(runs: Runs) -> None:
    assert runs.baseline_of("/faces", "a") == ""


def test_the_last_other_data_that_passed_are_the_baseline(runs: Runs) -> None:
    runs.gate("/faces", "a")
    second = runs.gate("/faces", "b")
    runs.gate("/faces", "c", FAILED)
    assert runs.baseline_of("/faces", "d") == second


def test_the_same_data_are_compared_with_what_they_were_compared_with(runs: Runs) -> None:
    first = runs.gate("/faces", "a")
    runs.gate("/faces", "b")
    assert runs.baseline_of("/faces", "b") == first


def test_photographs_are_never_compared_with_drawn_faces(runs: Runs) -> None:
    drawn = runs.gate(str(runs.drawn / "1500-0-v1"), "a")
    assert runs.baseline_of("/faces", "b") == ""
    assert runs.baseline_of(str(runs.drawn / "1500-1-v1"), "c") == drawn
    photographs = runs.gate("/faces", "b")
    assert runs.baseline_of("/faces", "d") == photographs


def test_statistics_that_were_deleted_are_no_baseline(runs: Runs) -> None:
    Path(runs.gate("/faces", "a")).rmdir()
    assert runs.baseline_of("/faces", "b") == ""
