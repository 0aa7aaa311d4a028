"""Small candidates of every kind, with weights that answer something, and their predictors."""

from collections.abc import Callable

import keras
import numpy as np

from schema import features
from trainer import families, runs
from trainer.calibration import AgeCalibration, Calibration, GenderCalibration
from trainer.export import Predictor
from trainer.hyperparameters import Architecture, Hyperparameters, Transfer

SIZE = 48

CALIBRATION = Calibration(
    age=AgeCalibration(
        method="conformalised quantiles", low_share=0.1, bounds=(30.0, 60.0),
        corrections=(-0.75, 1.5, 4.25), faces=(200, 200, 200),
    ),
    gender=GenderCalibration(
        temperature=1.3, faces=600, log_loss_before=0.2, log_loss_after=0.19,
        ece_before=0.03, ece_after=0.02,
    ),
)  # fmt: skip


def pictures(count: int, size: int = SIZE, seed: int = 0) -> np.ndarray:
    """Smooth coloured pictures, uint8 [count, size, size, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3)).astype(np.float32)
    smooth = keras.ops.image.resize(coarse, (size, size), interpolation="bicubic")
    return np.asarray(keras.ops.clip(smooth, 0, 255)).astype(np.uint8)


def model(name: str, seed: int, head: str, input_size: int | None, size: int) -> keras.Model:
    """An untrained model whose heads say something definite, and not the same to all pictures."""
    keras.utils.set_random_seed(seed)
    hyper = Hyperparameters(
        architecture=Architecture(widths=(8, 16), age_head=head),  # type: ignore[arg-type]
        transfer=Transfer(weights="none"),
        input_size=input_size,
    )
    made = families.build(name, size, hyper)
    pixels = pictures(64, size, seed=7).astype(np.float32)
    random = np.random.default_rng(seed)
    for answer in families.family(name).answers:
        head_layer = made.get_layer(answer)
        seen = np.asarray(keras.Model(made.input, head_layer.input)(pixels))
        spread = seen.std(axis=0)
        alive = spread > 1e-3 * spread.max()
        # Logits of the pictures that spread by about three.
        scale = np.where(alive, 3 / np.where(alive, spread, 1) / seen.shape[1] ** 0.5, 0)
        kernel = random.normal(size=head_layer.kernel.shape) * scale[:, None]
        head_layer.set_weights([kernel, -seen.mean(axis=0) @ kernel])
    return made


def run(
    name: str,
    mirror: bool = False,
    head: str = "distribution",
    seed: int = 1,
    input_size: int | None = None,
    size: int = SIZE,
) -> runs.Run:
    """What a training of one model would leave."""
    answers = list(families.family(name).answers)
    figures = {"model": name, "answers": answers, "mirror": mirror, "store_size": size}
    found = CALIBRATION
    if head == "regression":
        fitted = {"method": "split conformal", "low_share": 0.5}
        found = CALIBRATION.model_copy(
            update={"age": AgeCalibration(**(CALIBRATION.age.model_dump() | fitted))}  # type: ignore[union-attr]
        )
    found = Calibration(**{name: getattr(found, name) for name in answers})
    return runs.Run(figures, {}, found, model(name, seed, head, input_size, size))


def specialists(gender_mirror: bool, age_mirror: bool) -> tuple[runs.Run, Predictor]:
    """Two models joined, as SpecialistPair does, and what it exports."""
    gender, age = run("gender_cnn", gender_mirror), run("age_cnn", age_mirror, seed=2)
    figures = {
        "answers": [features.AGE, features.GENDER],
        "store_size": SIZE,
        "mirror": gender_mirror or age_mirror,
        "parts": {"gender": gender.figures, "age": age.figures},
    }
    pair = runs.Run(figures, {}, CALIBRATION, runs.joined(gender.model, age.model))
    return pair, lambda pixels: runs.predictor(age)(pixels) | runs.predictor(gender)(pixels)


def ensemble(mirror: bool) -> runs.Run:
    """A multitask model and a backbone, which see pictures in different sizes."""
    members = {
        "multitask_cnn": run("multitask_cnn", mirror, input_size=32),
        "transfer_vggface": run("transfer_vggface", True, seed=2),
    }
    figures = {
        "answers": [features.AGE, features.GENDER],
        "store_size": SIZE,
        "mirror": mirror,
        "parts": {name: one.figures for name, one in members.items()},
    }
    joined = runs.averaged({name: one.model for name, one in members.items()})
    return runs.Run(figures, {}, CALIBRATION, joined)


def _alone(one: runs.Run) -> tuple[runs.Run, Predictor]:
    return one, runs.predictor(one)


KINDS: dict[str, Callable[[], tuple[runs.Run, Predictor]]] = {
    "multitask": lambda: _alone(run("multitask_cnn")),
    "multitask, mirror, smaller": lambda: _alone(run("multitask_cnn", True, input_size=32)),
    "multitask, regression, mirror": lambda: _alone(run("multitask_cnn", True, "regression")),
    "transfer, larger": lambda: _alone(run("transfer_vggface", input_size=64)),
    "specialists": lambda: specialists(False, False),
    "specialists, gender's mirror": lambda: specialists(True, False),
    "ensemble": lambda: _alone(ensemble(False)),
    "ensemble, mirror": lambda: _alone(ensemble(True)),
    "mobilenet_v2": lambda: _alone(run("transfer_mobilenet_v2")),
    "efficientnet_b0": lambda: _alone(run("transfer_efficientnet_b0", True)),
    "resnet50": lambda: _alone(run("transfer_resnet50")),
}
SLOW = {"mobilenet_v2", "efficientnet_b0", "resnet50"}
