import shlex

import pytest

from pipeline import settings
from pipeline.reproduce import assignments, command, source_name

ASKED = [
    [],
    ["training.epochs=2", "models.age_cnn.epochs=3", "candidates=[multitask]"],
    ["models.transfer_mobilenet_v2.learning_rate=0.00001", "training.input_size=32"],
    ["thresholds.min_auc=null", "slices.race.max_age_mae_ratio=null", "data.limit=50"],
    ["expectations.female_share.at_most=1", "data.balance.fractions={0-4: 0.33}"],
    ["expectations.mine={measure: median, of: age, at_least: 1}", "tuning.enabled=true"],
    ["data.policy.duplicates=keep", "age_groups=five", "training.architecture.widths=[8, 16]"],
]


@pytest.mark.parametrize("profile", settings.profiles())
@pytest.mark.parametrize("asked", ASKED)
def test_what_it_says_gives_the_same_settings(profile: str, asked: list[str]) -> None:
    try:
        wanted = settings.load(profile, {}, asked)
    except settings.UserError as error:
        pytest.skip(str(error))
    assert settings.load(profile, {}, assignments(wanted)) == wanted


def test_what_is_set_of_all_models_is_said_once() -> None:
    wanted = settings.load("sample", {}, ["training.epochs=2"])
    assert assignments(wanted) == ["training.epochs=2"]


def test_it_can_be_typed_and_tells_no_folder_of_this_machine() -> None:
    wanted = settings.load(
        "cpu",
        {"data.uri": "/home/some one/UTK Face.zip", "workdir": "/home/w", "data.limit": 9},
        ["models.transfer_resnet50.transfer.weights=/home/w/resnet.h5", "serving.dir=/home/s"],
    )
    said = command(wanted, "it's a drill")
    assert "/home" not in said
    assert shlex.split(said.replace("\\\n", "")) == [
        *("agegender", "run", "--profile", "cpu", "--data", "UTK Face.zip"),
        *("--set", "data.limit=9", "--set", "models.transfer_resnet50.transfer.weights=resnet.h5"),
        *("--accept-data", "--reason", "it's a drill"),
    ]


@pytest.mark.parametrize(
    ("uri", "name"),
    [(None, ""), ("a/faces/", "faces"), ("gs://b/faces.zip", "faces.zip"), ("f.zip", "f.zip")],
)
def test_data_are_called_by_their_name(uri: str | None, name: str) -> None:
    assert source_name(settings.load("cpu", {"data.uri": uri}, [])) == name
