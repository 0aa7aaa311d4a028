"""A predictor and its Transform graph as one self-contained servable with the three signatures."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_transform as tft

from schema import features
from trainer.preprocessing import parse_pixels

# uint8 [n, store_size, store_size, 3] to {"age": years [n], "gender": P(female) [n]}.
Predictor = Callable[[tf.Tensor], dict[str, tf.Tensor]]

_LABELS = (features.AGE, features.GENDER)


class Servable(tf.Module):
    """Holds what the signatures need; the Transform layer, a tf_keras model, is at home here."""

    def __init__(
        self,
        predict: Predictor,
        state: list[tf.Module],
        transform: tft.TFTransformOutput,
        store_size: int,
        half_width: float,
    ) -> None:
        super().__init__(name="servable")
        self._predict = predict
        self._state = state
        self._transform = transform.transform_features_layer()
        self._raw_spec = transform.raw_feature_spec()
        self._store_size = store_size
        self._half_width = half_width
        self._age_groups = tf.constant(features.AGE_GROUPS)
        self._age_group_bounds = tf.constant([float(b) for b in features.AGE_GROUP_BOUNDS])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, features.INPUT_IMAGE_BYTES)])
    def serving_default(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded pictures, string [n], to answers, each of shape [n]."""
        return self._answer(image_bytes)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, features.INPUT_EXAMPLES)])
    def serving_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serialized raw tf.Examples, string [n], to the same answers."""
        spec = {features.IMAGE: self._raw_spec[features.IMAGE]}
        return self._answer(tf.reshape(tf.io.parse_example(examples, spec)[features.IMAGE], [-1]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, features.INPUT_EXAMPLES)])
    def transform_features(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serialized raw tf.Examples, string [n], to what Transform makes of them.

        Labels may be missing, as in serving; theirs are then NaN.
        """
        spec = {features.IMAGE: self._raw_spec[features.IMAGE]}
        for name in _LABELS:
            spec[name] = tf.io.FixedLenFeature([1], tf.int64, default_value=[-1])
        raw = tf.io.parse_example(examples, spec)
        transformed = self._transform(raw)
        missing = {
            features.AGE_NORM: raw[features.AGE] < 0,
            features.GENDER: raw[features.GENDER] < 0,
        }
        for name, absent in missing.items():
            transformed[name] = tf.where(absent, float("nan"), transformed[name])
        return transformed

    def _answer(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        serialized = self._transform({features.IMAGE: images[:, None]})[features.PIXELS]
        pixels = tf.map_fn(
            lambda one: parse_pixels(one, self._store_size),
            tf.reshape(serialized, [-1]),
            fn_output_signature=tf.uint8,
        )
        answer = self._predict(pixels)
        age = tf.clip_by_value(answer[features.AGE], features.MIN_AGE, features.MAX_AGE)
        female = answer[features.GENDER]
        group = tf.searchsorted(self._age_group_bounds, age, side="right")
        return {
            features.OUT_AGE: age,
            features.OUT_AGE_LOW: tf.maximum(age - self._half_width, features.MIN_AGE),
            features.OUT_AGE_HIGH: tf.minimum(age + self._half_width, features.MAX_AGE),
            features.OUT_FEMALE_PROBABILITY: female,
            features.OUT_GENDER: tf.where(female >= 0.5, features.GENDERS[1], features.GENDERS[0]),
            features.OUT_AGE_GROUP: tf.gather(self._age_groups, group),
        }


def export_servable(
    directory: str,
    predict: Predictor,
    state: list[tf.Module],
    transform: tft.TFTransformOutput,
    store_size: int,
    half_width: float,
) -> None:
    """Writes a SavedModel that needs nothing of this project to be loaded.

    Args:
      directory: where to; made if missing.
      predict: from pixels to years and P(female); traced once.
      state: the modules whose variables `predict` uses (a Keras model is one).
      transform: the Transform graph the model was trained behind.
      store_size: side of the stored pictures, pixels.
      half_width: half the width of the 90% age interval, years.
    """
    servable = Servable(predict, state, transform, store_size, half_width)
    signatures = {
        features.SIGNATURE_DEFAULT: servable.serving_default,
        features.SIGNATURE_EXAMPLES: servable.serving_examples,
        features.SIGNATURE_TRANSFORM: servable.transform_features,
    }
    tf.saved_model.save(servable, directory, signatures=signatures)
