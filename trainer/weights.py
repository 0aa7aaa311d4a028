"""Which weights a backbone starts from; free of TensorFlow, so that a run can be refused early."""

from pathlib import Path

from pipeline.errors import EXIT_USAGE, UserError
from trainer import names
from trainer.hyperparameters import Hyperparameters

IMAGENET = "imagenet"
NONE = "none"
_WITHOUT_IMAGENET = ("vggface",)
_SUFFIXES = (".h5", ".hdf5", ".keras")


def starts_trained(model: str, hyper: Hyperparameters) -> bool:
    """Whether a model has a backbone that was trained elsewhere."""
    return bool(names.backbone(model)) and hyper.transfer.weights != NONE


def check(model: str, hyper: Hyperparameters) -> None:
    """Refuses weights that cannot be had, before anything is trained.

    Whether Keras can download `imagenet` shows only when it tries.

    Args:
      model: name of the trained model.
      hyper: its hyperparameters.

    Raises:
      UserError: for a file that is missing or of the wrong kind, and for `imagenet` where there is
        no such thing.
    """
    if not starts_trained(model, hyper):
        return
    wanted, setting = hyper.transfer.weights, f"models.{model}.transfer.weights"
    if wanted == IMAGENET:
        if names.backbone(model) in _WITHOUT_IMAGENET:
            raise UserError(
                f"{model} has no ImageNet weights: set {setting} to a file, or to none", EXIT_USAGE
            )
        return
    path = Path(wanted).expanduser()
    if not path.is_file():
        raise UserError(
            f"{setting}: there is no file {path}: give a .weights.h5 file, {IMAGENET} or {NONE}",
            EXIT_USAGE,
        )
    if path.suffix not in _SUFFIXES:
        raise UserError(
            f"{setting}: {path} is not a file of Keras weights: their names end in .weights.h5 "
            "or .h5",
            EXIT_USAGE,
        )


def fingerprint(model: str, hyper: Hyperparameters) -> str:
    """Changes with the file a model starts from; "" where it starts from none."""
    if not starts_trained(model, hyper) or hyper.transfer.weights == IMAGENET:
        return ""
    found = Path(hyper.transfer.weights).expanduser().stat()
    return f"{found.st_size}-{found.st_mtime_ns}"
