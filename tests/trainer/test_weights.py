from pathlib import Path

import pytest

from pipeline.errors import EXIT_USAGE, UserError
from trainer import weights
from trainer.hyperparameters import Hyperparameters, Transfer


def check(model: str, wanted: str) -> None:
    weights.check(model, Hyperparameters(transfer=Transfer(weights=wanted)))


@pytest.mark.parametrize(
    ("model", "wanted", "said"),
    [
        ("transfer_vgg16", "nowhere.weights.h5", "no file nowhere.weights.h5"),
        ("transfer_vgg16", __file__, "not a file of Keras weights"),
        ("transfer_vggface", "imagenet", "no ImageNet weights"),
    ],
)
def test_weights_that_cannot_be_had_are_one_line(model: str, wanted: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        check(model, wanted)
    assert caught.value.exit_code == EXIT_USAGE
    assert "\n" not in str(caught.value)
    assert f"models.{model}.transfer.weights" in str(caught.value)


def test_others_are_let_pass(tmp_path: Path) -> None:
    path = tmp_path / "some.weights.h5"
    path.touch()
    for model in ("transfer_vggface", "transfer_resnet50"):
        check(model, str(path))
        check(model, "none")
    check("transfer_resnet50", "imagenet")
    check("multitask_cnn", "nowhere.h5")


def test_another_file_is_another_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "some.weights.h5"

    def fingerprint(wanted: str) -> str:
        return weights.fingerprint(
            "transfer_vgg16", Hyperparameters(transfer=Transfer(weights=wanted))
        )

    path.write_bytes(b"1")
    first = fingerprint(str(path))
    path.write_bytes(b"12")
    assert "" != first != fingerprint(str(path))
    assert fingerprint("none") == fingerprint("imagenet") == ""
