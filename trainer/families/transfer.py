"""transfer: a backbone that was trained elsewhere, an age head and a gender head."""

import keras
from keras import layers

from schema import features
from trainer import heads, names
from trainer.families import inputs
from trainer.families.backbones import BACKBONES, SMALLEST, body
from trainer.hyperparameters import Hyperparameters
from trainer.weights import IMAGENET, starts_trained

EMBEDDING = "embedding"  # the layer whose output the heads stand on


def build(name: str, store_size: int, hyper: Hyperparameters) -> keras.Model:
    """From pixels [n, store_size, store_size, 3] to logits {"age", "gender"}.

    A backbone with weights is frozen.

    Args:
      name: `transfer_` and a name in BACKBONES.
      store_size: side of the input pictures, pixels.
      hyper: `transfer` says with which weights.

    Raises:
      UserError: when the weights cannot be had.
    """
    backbone = BACKBONES[names.backbone(name)]
    size = _size(store_size, hyper)
    pixels, x = inputs.pictures(store_size, size)
    x = backbone.preprocess(x)
    trunk = body(backbone, hyper.transfer.weights, size)
    # Batch-norm that is frozen works by its moving moments, in training too.
    trunk.trainable = not starts_trained(name, hyper)
    x = trunk(x)
    x = layers.GlobalAveragePooling2D(dtype="float32", name=EMBEDDING)(x)
    x = layers.Dropout(hyper.architecture.dropout)(x)
    outputs = {
        features.AGE: heads.age_output(x, hyper.architecture.age_head),
        features.GENDER: heads.gender_output(x),
    }
    return keras.Model(pixels, outputs, name=name)


def fetch(name: str, store_size: int, hyper: Hyperparameters) -> None:
    """Makes Keras download the ImageNet weights that a model starts from, if it does.

    They stay on this machine: a run that cannot have them ends before anything is trained.

    Args: as of `build`; `name` may be of another family.

    Raises:
      UserError: when they cannot be had.
    """
    if starts_trained(name, hyper) and hyper.transfer.weights == IMAGENET:
        # Which file it is depends on the size too.
        body(BACKBONES[names.backbone(name)], IMAGENET, _size(store_size, hyper))


def _size(store_size: int, hyper: Hyperparameters) -> int:
    return max(hyper.input_size or store_size, SMALLEST)


def backbone_of(model: keras.Model) -> keras.Model:
    """The backbone inside a model that `build` made."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))
