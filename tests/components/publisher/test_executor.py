"""What is published, what is not, and what PushedModel says about it."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact
from tfx.utils import path_utils, proto_utils

from components.publisher.executor import Executor
from serving import versions
from tests.serving.drills import is_whole, write_model


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, list[Artifact]]:
    model_blessing = standard_artifacts.ModelBlessing()
    model_blessing.set_int_custom_property("blessed", 1)
    infra_blessing = standard_artifacts.InfraBlessing()
    infra_blessing.uri = str(tmp_path / "infra")
    infra_blessing.set_int_custom_property("blessed", 1)
    infra_blessing.set_int_custom_property("has_model", 1)
    write_model(Path(path_utils.stamped_model_path(infra_blessing.uri)), 1)
    return {"model_blessing": [model_blessing], "infra_blessing": [infra_blessing]}


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "agegender"


def do(inputs: dict[str, list[Artifact]], model_dir: Path) -> Artifact:
    destination = pusher_pb2.PushDestination(
        filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(model_dir))
    )
    pushed_model = standard_artifacts.PushedModel()
    pushed_model.uri = tempfile.mkdtemp(dir=model_dir.parents[1])
    Executor().Do(
        inputs,
        {"pushed_model": [pushed_model]},
        {
            "push_destination": proto_utils.proto_to_json(destination),
            "custom_config": json.dumps({"serving_state": "none", "code_fingerprint": ""}),
        },
    )
    return pushed_model


def test_a_blessed_model_is_published_once_and_again_when_it_is_gone(
    inputs: dict[str, list[Artifact]], model_dir: Path
) -> None:
    first = do(inputs, model_dir)
    assert first.get_int_custom_property("pushed") == 1
    assert first.get_string_custom_property("pushed_version") == "1"
    assert first.get_string_custom_property("pushed_destination") == str(model_dir / "1")
    assert first.get_string_custom_property("content_digest") == versions.content_digest(
        model_dir / "1"
    )
    assert not first.has_custom_property("reason")
    assert is_whole(model_dir / "1")

    again = do(inputs, model_dir)
    assert again.get_int_custom_property("pushed") == 0
    assert again.get_string_custom_property("reason") == "already serving version 1"
    assert again.get_string_custom_property("pushed_version") == "1"
    assert versions.list_versions(model_dir) == [1]

    shutil.rmtree(model_dir)
    assert do(inputs, model_dir).get_string_custom_property("pushed_version") == "2"


def test_after_a_rollback_the_winner_is_published_again(
    inputs: dict[str, list[Artifact]], model_dir: Path, tmp_path: Path
) -> None:
    versions.publish(write_model(tmp_path / "older", 9), model_dir)
    assert do(inputs, model_dir).get_string_custom_property("pushed_version") == "2"
    versions.publish(model_dir / "1", model_dir)
    assert do(inputs, model_dir).get_string_custom_property("pushed_version") == "4"


@pytest.mark.parametrize(
    ("withheld", "message_key", "reason"),
    [
        ("model_blessing", "blessing_message", "age_mae 6.2 > 6.0"),
        ("infra_blessing", "reason", "the servable failed its check: age_mae 6.2 > 6.0"),
    ],
)
def test_without_a_blessing_nothing_is_published_and_it_says_why(
    withheld: str,
    message_key: str,
    reason: str,
    inputs: dict[str, list[Artifact]],
    model_dir: Path,
) -> None:
    (blessing,) = inputs[withheld]
    blessing.set_int_custom_property("blessed", 0)
    blessing.set_string_custom_property(message_key, "age_mae 6.2 > 6.0")
    pushed_model = do(inputs, model_dir)
    assert pushed_model.get_int_custom_property("pushed") == 0
    assert pushed_model.get_string_custom_property("reason") == reason
    assert not pushed_model.has_custom_property("pushed_version")
    assert not model_dir.exists()
