"""Transfer learning's two phases: features of a frozen backbone, then its top layers unfrozen."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.families.transfer import EMBEDDING, backbone_of
from trainer.hyperparameters import Transfer

NORM_MOMENTUM = 0.95  # of batch-norm's moving moments, per step


@dataclass(frozen=True)
class Embedded:
    """Features of pictures, float32 [n, d], of their mirror images, and the labels, [n] each."""

    straight: npt.NDArray[np.float32]
    mirrored: npt.NDArray[np.float32]
    labels: dict[str, npt.NDArray[np.float32]]


def embed(model: keras.Model, batches: tf.data.Dataset, mirror: bool) -> Embedded:
    """Runs the backbone once over every picture and, with `mirror`, once over its mirror image.

    Without `mirror` the features of the mirror images are those of the pictures.
    """
    extractor = keras.Model(model.input, model.get_layer(EMBEDDING).output)
    run = tf.function(
        lambda pixels: extractor(tf.cast(pixels, tf.float32), training=False),
        reduce_retracing=True,
    )
    straight, mirrored, labels = [], [], []
    for pixels, truth in batches:
        straight.append(run(pixels).numpy())
        if mirror:
            mirrored.append(run(tf.reverse(pixels, [2])).numpy())
        labels.append({name: values.numpy() for name, values in truth.items()})
    features = np.concatenate(straight)
    return Embedded(
        features,
        np.concatenate(mirrored) if mirror else features,
        {name: np.concatenate([one[name] for one in labels]) for name in labels[0]},
    )


def heads_of(model: keras.Model) -> keras.Model:
    """The layers after the backbone as a model from features, [n, d]; its weights are shared."""
    return keras.Model(model.get_layer(EMBEDDING).output, model.output, name=model.name)


def unfreeze(model: keras.Model, how: Transfer) -> None:
    """Lets a share of the backbone's layers, from the top, be trained; batch-norm where it may."""
    backbone = backbone_of(model)
    backbone.trainable = True
    first = len(backbone.layers) - round(how.unfrozen * len(backbone.layers))
    for index, layer in enumerate(backbone.layers):
        layer.trainable = index >= first
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable &= how.batch_norm == "trained"
            # Backbones keep moments over thousands of steps, which a short training never sees.
            layer.momentum = min(layer.momentum, NORM_MOMENTUM)
