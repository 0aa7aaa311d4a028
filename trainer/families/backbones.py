"""The backbones of `transfer`: how each is made, and what it makes of raw pixels."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import applications, layers, ops

from pipeline.errors import UserError
from trainer.weights import IMAGENET, NONE

SMALLEST = 32  # side of a picture that all of them can take, pixels


@dataclass(frozen=True)
class Backbone:
    """One entry of the registry.

    Attributes:
      make: from keras.applications, or like it: called with `weights` (None or "imagenet"),
        `include_top` and `input_shape`.
      preprocess: raw pixels, RGB in 0 to 255, to what the weights were trained on.
      adapt: what has to be done to a body after its weights were read from a file.
    """

    make: Callable[..., keras.Model]
    preprocess: Callable[[keras.KerasTensor], keras.KerasTensor]
    adapt: Callable[[keras.Model], None] = lambda _: None


def body(backbone: Backbone, weights: str, size: int) -> keras.Model:
    """A backbone without its top, from pictures [n, size, size, 3] to features [n, h, w, d].

    Args:
      backbone: which.
      weights: `imagenet`, the path of a file, or `none`.
      size: side of the pictures, pixels.

    Raises:
      UserError: when the weights cannot be downloaded, or are of another model.
    """
    shape = (size, size, 3)
    if weights == IMAGENET:
        return _with_imagenet(backbone, shape)
    made = backbone.make(weights=None, include_top=False, input_shape=shape)
    if weights != NONE:
        try:
            made.load_weights(Path(weights).expanduser())
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise UserError(f"{weights} holds no weights of {made.name}: {reason}") from error
        backbone.adapt(made)
    return made


def _with_imagenet(backbone: Backbone, shape: tuple[int, int, int]) -> keras.Model:
    try:
        return backbone.make(weights=IMAGENET, include_top=False, input_shape=shape)
    except Exception as error:  # Keras raises nothing narrower when a download fails
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"no ImageNet weights ({reason}): go online once, or set transfer.weights to a file "
            "or to none"
        ) from error


def _minus_one_to_one(pixels: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)


def _as_they_are(pixels: keras.KerasTensor) -> keras.KerasTensor:
    return pixels


def _without_mean(
    means: Sequence[float],
) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    """BGR less the means of the training pictures, as Caffe's models were trained."""

    def preprocess(pixels: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Rescaling(1.0, offset=[-mean for mean in means])(ops.flip(pixels, axis=-1))

    return preprocess


# BGR means: of ImageNet, and of the faces VGGFace was trained on (Parkhi et al. 2015).
_IMAGENET_MEAN = (103.939, 116.779, 123.68)
_VGGFACE_MEAN = (93.594, 104.7624, 129.1863)

# By which Keras divides in an EfficientNet made with weights="imagenet", and only then.
_IMAGENET_STDDEV = (0.229, 0.224, 0.225)


def _rescale_efficientnet(made: keras.Model) -> None:
    """Does to the first kernels what Keras does to the pictures with weights="imagenet" alone."""
    stem = made.get_layer("stem_conv")
    scale = [1 / math.sqrt(stddev) for stddev in _IMAGENET_STDDEV]
    stem.kernel.assign(stem.kernel * ops.reshape(ops.array(scale), (1, 1, 3, 1)))


def _vggface(
    weights: None,  # noqa: ARG001 - always from a file, which `body` reads
    include_top: bool,  # noqa: ARG001 - never
    input_shape: tuple[int, int, int],
) -> keras.Model:
    """VGG16 without its top (Simonyan & Zisserman 2015), layers named as in VGGFace's files."""
    x = pixels = keras.Input(input_shape)
    for block, (width, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for index in range(1, count + 1):
            name = f"conv{block}_{index}"
            x = layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    return keras.Model(pixels, x, name="vggface")


BACKBONES: dict[str, Backbone] = {
    "mobilenet_v2": Backbone(applications.MobileNetV2, _minus_one_to_one),
    "efficientnet_b0": Backbone(applications.EfficientNetB0, _as_they_are, _rescale_efficientnet),
    "efficientnet_b1": Backbone(applications.EfficientNetB1, _as_they_are, _rescale_efficientnet),
    "efficientnet_b2": Backbone(applications.EfficientNetB2, _as_they_are, _rescale_efficientnet),
    "vgg16": Backbone(applications.VGG16, _without_mean(_IMAGENET_MEAN)),
    "resnet50": Backbone(applications.ResNet50, _without_mean(_IMAGENET_MEAN)),
    "vggface": Backbone(_vggface, _without_mean(_VGGFACE_MEAN)),
}
