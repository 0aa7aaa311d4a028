import pytest

from trainer import names, search_space
from trainer.hyperparameters import Architecture, Hyperparameters
from trainer.search_space import DIMENSIONS, Range

HYPER = Hyperparameters()


@pytest.mark.parametrize("model", names.TRAINED_MODELS)
def test_what_is_checked_in_is_always_tried_and_changes_nothing(model: str) -> None:
    odd = HYPER.model_copy(
        update={
            "learning_rate": 0.5,
            "age_l1": 0.77,
            "architecture": Architecture(dropout=0.13, widths=(4, 20)),
        }
    )
    found = search_space.space(model, odd)
    ours = search_space.checked_in(odd, found)
    for name, wanted in found.items():
        if isinstance(wanted, Range):
            assert wanted.min <= float(ours[name]) <= wanted.max
        else:
            assert ours[name] in wanted
            assert len({type(value) for value in wanted}) == 1  # KerasTuner takes no mixture
    assert search_space.applied(odd, ours) == odd


def test_each_family_has_what_it_can_use() -> None:
    assert "gender_weight" not in search_space.space("age_cnn", HYPER)
    assert "age_head" not in search_space.space("gender_cnn", HYPER)
    transfer = search_space.space("transfer_vgg16", HYPER)
    assert {"frozen_epochs", "unfrozen", "unfrozen_learning_rate"} <= transfer.keys()
    assert "widths" not in transfer
    scratch = HYPER.transfer.model_copy(update={"weights": "none"})
    without = search_space.space("transfer_vgg16", HYPER.model_copy(update={"transfer": scratch}))
    assert "frozen_epochs" not in without
    searched = {name for model in names.TRAINED_MODELS for name in search_space.space(model, HYPER)}
    assert searched == set(DIMENSIONS)


def test_every_value_of_every_dimension_makes_a_training_of_its_own() -> None:
    for model in names.TRAINED_MODELS:
        for name, wanted in search_space.space(model, HYPER).items():
            values = (wanted.min, wanted.max) if isinstance(wanted, Range) else wanted
            made = [search_space.applied(HYPER, {name: value}) for value in values]
            assert len({one.model_dump_json() for one in made}) == len(values), name


def test_factors_scale_what_is_checked_in_and_stay_within_limits() -> None:
    wide = search_space.applied(HYPER, {"widths": 1.5, "augmentation": 20.0})
    assert wide.architecture.widths == (48, 96, 192, 288)
    assert wide.augmentation.rotation == 180
    assert wide.augmentation.zoom < 1
    assert wide.augmentation.flip is HYPER.augmentation.flip


def test_names_that_are_no_dimension_are_passed_over() -> None:
    told = {"dropout": 0.5, "tuner/epochs": 3, "trial": 4}
    assert search_space.applied(HYPER, told).architecture.dropout == 0.5


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"dropout": (1.5,)}, "dropout: 1.5: input should be less than 1"),
        ({"batch_size": (3.5,)}, "batch_size: 3.5: input should be a valid integer"),
        ({"age_head": ("softmax",)}, "age_head: 'softmax': input should be 'distribution'"),
        ({"age_head": Range(min=1, max=2)}, "age_head takes a list"),
        ({"widths": (0,)}, "widths is a factor"),
        ({"learning_rate": Range(min=0, max=1)}, "sampling must then be linear"),
        ({"learning_rate": Range(min=2, max=1)}, "is not below"),
    ],
)
def test_a_value_that_no_training_takes_is_named(
    wanted: dict[str, search_space.Wanted], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        search_space.space("multitask_cnn", HYPER, wanted)
