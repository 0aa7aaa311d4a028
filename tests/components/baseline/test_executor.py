from pathlib import Path

import pytest
from tfx.types import artifact_utils, standard_artifacts

from components.baseline.executor import HAS_BASELINE_PROPERTY, Executor
from schema import features


def statistics(folder: Path, content: str) -> standard_artifacts.ExampleStatistics:
    made = standard_artifacts.ExampleStatistics()
    made.uri = str(folder)
    made.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    for split in features.SPLITS:
        (folder / f"Split-{split}").mkdir(parents=True)
        (folder / f"Split-{split}" / "FeatureStats.pb").write_text(content)
    return made


@pytest.mark.parametrize("has_baseline", [False, True])
def test_it_hands_on_the_accepted_statistics_or_else_this_runs(
    tmp_path: Path, has_baseline: bool
) -> None:
    own = statistics(tmp_path / "own", "own")
    accepted = statistics(tmp_path / "accepted", "accepted").uri if has_baseline else ""
    output = standard_artifacts.ExampleStatistics()
    output.uri = str(tmp_path / "output")
    inputs, outputs = {"statistics": [own]}, {"baseline_statistics": [output]}
    Executor().Do(inputs, outputs, {"baseline_uri": accepted})
    assert output.get_int_custom_property(HAS_BASELINE_PROPERTY) == int(has_baseline)
    for split in artifact_utils.decode_split_names(output.split_names):
        copied = Path(artifact_utils.get_split_uri([output], split)) / "FeatureStats.pb"
        assert copied.read_text() == ("accepted" if has_baseline else "own")
