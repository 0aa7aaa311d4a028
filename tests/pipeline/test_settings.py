import pytest

from components.data_report.expectations import defaults
from pipeline import settings
from pipeline.errors import EXIT_USAGE, UserError


@pytest.mark.parametrize("profile", settings.profiles())
def test_every_profile_is_sound(profile: str) -> None:
    assert settings.load(profile, {}, []).profile == profile


def test_assignments_win_over_options_and_options_over_the_profile() -> None:
    loaded = settings.load("sample", {"data.limit": 5, "data.shards": 2}, ["data.limit=7"])
    assert (loaded.data.limit, loaded.data.shards, loaded.data.sample_size) == (7, 2, 1500)


def test_values_are_read_as_yaml() -> None:
    loaded = settings.load(
        "sample", {}, ["training.architecture.widths=[8, 16]", "thresholds.min_auc=0.9"]
    )
    assert loaded.training.architecture.widths == (8, 16)
    assert loaded.thresholds.min_auc == 0.9


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("training.epoch=3", ["training.epoch:", "did you mean training.epochs?"]),
        ("qwerty=1", ["unknown setting qwerty", "known here", "training"]),
        ("training.epochs=many", ["training.epochs", "'many'", "integer"]),
        ("training.epochs=0", ["training.epochs", "got 0", "greater than 0"]),
        ("training.precision=half", ["training.precision", "'half'", "mixed_bfloat16"]),
        ("thresholds.min_gender_accuracy=93", ["min_gender_accuracy", "93", "less than 1"]),
        ("data=3", ["setting data: got 3", "uri", "limit"]),
        ("data.limit.x=3", ["setting data.limit", "integer"]),
        ("training.architecture.widths=[]", ["widths", "at least 1"]),
        (
            "models.age_cnn.epoch=3",
            ["models.age_cnn.epoch:", "did you mean models.age_cnn.epochs?"],
        ),
        ("models.age_cnn.epochs=0", ["models.age_cnn.epochs", "got 0"]),
        ("models.resnet.epochs=3", ["models.resnet", "'age_cnn'"]),
        ("models=3", ["models", "got 3"]),
        (
            "training.transfer={frozen_epochs: 0, unfrozen: 0}",
            ["training.transfer", "frozen_epochs"],
        ),
        ("tuning.algorithm=grid", ["tuning.algorithm", "'grid'", "'hyperband'"]),
        ("tuning.space.dropuot=[0.1]", ["tuning.space", "dropuot"]),
        ("tuning.space.dropout={mn: 1, max: 2}", ["did you mean", "range.min?"]),
        ("tuning.space.dropout=3", ["tuning.space.dropout", "tuple"]),
        ("tuning.space.dropout=[]", ["tuning.space.dropout", "at least 1"]),
        ("tuning={enabled: true, space: {dropout: [2]}}", ["tuning: dropout: 2", "less than 1"]),
        ("tuning={enabled: true, only: [unfrozen]}", ["gender_cnn", "tuning.only"]),
        (
            "tuning={enabled: true, models: [transfer_vgg16]}",
            ["tuning.models", "no transfer_vgg16", "age_cnn"],
        ),
        (
            "tuning={enabled: true, models: [student_vgg16]}",
            ["tuning.models", "search for that", "transfer_vgg16"],
        ),
        ("candidates=[resnet]", ["candidates", "'resnet'", "'multitask'"]),
        ("ensemble.members=[multitask_cnn]", ["ensemble.members", "at least 2"]),
        ("ensemble.members=[multitask_cnn, multitask_cnn]", ["ensemble.members", "twice"]),
        ("ensemble.members=[multitask_cnn, age_cnn]", ["ensemble.members", "'age_cnn'"]),
        ("data.limit", ["--set takes key=value", "'data.limit'"]),
        ("data.limit={", ["data.limit", "YAML"]),
        ("profile=gpu", ["--profile"]),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(assignment: str, said: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        settings.load("sample", {}, [assignment])
    message = str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE
    assert "\n" not in message
    assert [part for part in said if part not in message] == []


def test_a_models_own_settings_lie_upon_those_of_all() -> None:
    loaded = settings.load(
        "cpu",
        {},
        [
            "training.epochs=9",
            "models.age_cnn.architecture.depth=3",
            "models.gender_cnn.epochs=2",
        ],
    )
    age, gender, both = (
        loaded.hyperparameters(name) for name in ("age_cnn", "gender_cnn", "multitask_cnn")
    )
    assert (age.epochs, gender.epochs, both.epochs) == (9, 2, 9)
    assert (age.architecture.depth, gender.architecture.depth) == (3, 1)
    assert (
        age.architecture.widths == both.architecture.widths == loaded.training.architecture.widths
    )


def test_what_is_set_for_one_model_leaves_those_a_profile_describes_alike() -> None:
    loaded = settings.load("gpu", {}, ["models.transfer_vgg16.transfer.unfrozen=0.1"])
    vgg, resnet = (loaded.hyperparameters(f"transfer_{one}") for one in ("vgg16", "resnet50"))
    assert (vgg.transfer.unfrozen, resnet.transfer.unfrozen) == (0.1, 0.75)
    assert vgg.epochs == resnet.epochs


def test_a_student_is_told_what_the_model_it_is_like_is_told() -> None:
    weights = "models.transfer_mobilenet_v2.transfer.weights=file.h5"
    own = "models.student_mobilenet_v2.epochs=3"
    for asked in ([weights], [weights, own], [own, weights]):
        loaded = settings.load("cpu", {}, ["candidates=[student_mobilenet_v2]", *asked])
        plain, student = (
            loaded.hyperparameters(f"{one}_mobilenet_v2") for one in ("transfer", "student")
        )
        assert student.transfer.weights == plain.transfer.weights == "file.h5"
        assert student.learning_rate == plain.learning_rate
        if own in asked:
            assert student.epochs == 3 != plain.epochs
    assert loaded.trained_models == (*loaded.ensemble.members, "student_mobilenet_v2")


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_set_for_all_models_wins_over_what_a_profile_says_of_one(backwards: bool) -> None:
    profiles_own = settings.load("sample", {}, []).models
    assert profiles_own["age_cnn"].architecture.widths != (7,)
    assignments = [
        "training.architecture.widths=[7]",
        "training.epochs=3",
        "training.transfer={unfrozen: 0.4}",
        "models.gender_cnn.epochs=2",
        "models.gender_cnn.architecture.widths=[5]",
    ]
    loaded = settings.load("sample", {}, assignments[:: -1 if backwards else 1])
    told = {name: loaded.hyperparameters(name) for name in loaded.trained_models}
    gender = told.pop("gender_cnn")
    assert (gender.epochs, gender.architecture.widths) == (2, (5,))
    assert {(one.epochs, one.architecture.widths) for one in told.values()} == {(3, (7,))}
    assert {one.transfer.unfrozen for one in told.values()} == {0.4}
    # What the user does not set, the profile still says.
    assert profiles_own["age_cnn"].architecture == (
        settings.load("sample", {}, ["training.epochs=3"]).models["age_cnn"].architecture
    )


def test_what_is_wrong_for_all_models_is_told_once() -> None:
    with pytest.raises(UserError) as caught:
        settings.load("sample", {}, ["training.epochs=0", "models.age_cnn.patience=3"])
    assert str(caught.value).count("epochs") == 1


def test_an_unknown_profile_lists_those_there_are() -> None:
    with pytest.raises(UserError, match="cpu, gpu, kubeflow, sample"):
        settings.load("tpu", {}, [])


def test_what_the_gate_asks_is_the_schemas_then_the_profiles_then_the_users() -> None:
    rule = "expectations.min_examples"
    by_default, sample = (settings.load(name, {}, []).expectations for name in ("cpu", "sample"))
    assert by_default["min_examples"].at_least == defaults()["min_examples"]["at_least"]
    assert sample["min_examples"].at_least < by_default["min_examples"].at_least
    assert sample["min_examples"].measure == by_default["min_examples"].measure
    chosen = settings.load("sample", {}, [f"{rule}.at_least=7"]).expectations
    assert chosen["min_examples"].at_least == 7
    own = "expectations.men={measure: share, of: gender, is: male, at_most: 0.9}"
    assert settings.load("cpu", {}, [own]).expectations["men"].is_ == "male"


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("expectations.min_exmples.at_least=7", "did you mean min_examples?"),
        ("expectations.brand_new.at_least=7", "a new rule needs a measure"),
        ("expectations.min_examples.at_lest=7", "did you mean expectations.min_examples.at_least?"),
        ("expectations.female_share.is=woman", "no gender 'woman'"),
        ("expectations.female_share.at_least=0.9", "at_least 0.9 is above at_most 0.6"),
        ("data.balance.fractions={0-4: 0.3, 3-9: 1}", "the ranges of ages overlap"),
        ("data.policy.duplicates=drop", "'reject' or 'keep'"),
    ],
)
def test_a_wrong_rule_is_one_line_that_says_what_is_wrong(assignment: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        settings.load("cpu", {}, [assignment])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_profile_is_laid_upon_the_one_it_extends() -> None:
    base, upon = settings.load("gpu", {}, []), settings.load("kubeflow", {}, [])
    differ = {
        name
        for name in settings.Settings.model_fields
        if getattr(base, name) != getattr(upon, name)
    }
    assert differ <= {"profile", "workdir", "data", "kubeflow"}
    assert upon.kubeflow.training.gpus == 1
