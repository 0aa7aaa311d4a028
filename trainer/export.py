"""A predictor and its Transform graph as one self-contained servable with the three signatures."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from schema import age_groups, features
from trainer.preprocessing import parse_pixels

# uint8 [n, store_size, store_size, 3] to what is known of: `age`, `age_low`, `age_high`, years [n];
# `gender`, P(female) [n]; AGE_PROBABILITIES of the years, [n, 117].
Predictor = Callable[[tf.Tensor], dict[str, tf.Tensor]]
AGE_PROBABILITIES = "age_probabilities"

_LABELS = (features.AGE, features.GENDER)


class Servable(tf.Module):
    """Holds what the signatures need; the Transform layer, a tf_keras model, is at home here."""

    def __init__(
        self,
        predict: Predictor,
        transform: tft.TFTransformOutput,
        store_size: int,
        groups: age_groups.Scheme,
        calibration: str,
    ) -> None:
        super().__init__(name="servable")
        self._predict = predict
        self._transform = transform.transform_features_layer()
        self._raw_spec = transform.raw_feature_spec()
        self._store_size = store_size
        self._groups = groups
        self._calibration = calibration

    @tf.function(input_signature=[])
    def calibration(self) -> tf.Tensor:
        """What was fitted on the calib split, as JSON: string []."""
        return tf.constant(self._calibration)

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
        return self._age(answer) | self._gender(answer)

    def _age(self, answer: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if features.AGE not in answer:
            return {}
        limits = features.MIN_AGE, features.MAX_AGE
        names = {
            features.OUT_AGE: features.AGE,
            features.OUT_AGE_LOW: features.OUT_AGE_LOW,
            features.OUT_AGE_HIGH: features.OUT_AGE_HIGH,
        }
        out = {ours: tf.clip_by_value(answer[name], *limits) for ours, name in names.items()}
        if AGE_PROBABILITIES in answer:
            members = tf.constant(age_groups.membership(self._groups))
            index = tf.argmax(answer[AGE_PROBABILITIES] @ members, axis=1)
        else:
            bounds = tf.constant(age_groups.bounds(self._groups), tf.float32)
            index = tf.searchsorted(bounds, out[features.OUT_AGE], side="right")
        group = tf.gather(tf.constant(age_groups.GROUPS[self._groups]), index)
        return out | {features.OUT_AGE_GROUP: group}

    def _gender(self, answer: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if features.GENDER not in answer:
            return {}
        female = answer[features.GENDER]
        male, other = features.GENDERS
        return {
            features.OUT_FEMALE_PROBABILITY: female,
            features.OUT_GENDER: tf.where(female >= 0.5, other, male),
        }


def export_servable(
    directory: str,
    predict: Predictor,
    transform: tft.TFTransformOutput,
    store_size: int,
    groups: age_groups.Scheme = "decades",
    calibration: str = "{}",
) -> None:
    """Writes a SavedModel that needs nothing of this project to be loaded.

    Its `calibration()`, beside the signatures, answers what it was told of its calibration.

    Args:
      directory: where to; made if missing.
      predict: from pixels to answers; what it does not answer, the signatures do not.
      transform: the Transform graph the model was trained behind.
      store_size: side of the stored pictures, pixels.
      groups: how ages are grouped in `age_group`: the likeliest group where the probabilities of
        the years are known, otherwise the age's.
      calibration: JSON of what was fitted on the calib split.
    """
    constant = _constant(predict, store_size)
    servable = Servable(constant, transform, store_size, groups, calibration)
    signatures = {
        features.SIGNATURE_DEFAULT: servable.serving_default,
        features.SIGNATURE_EXAMPLES: servable.serving_examples,
        features.SIGNATURE_TRANSFORM: servable.transform_features,
    }
    # Gradients, which serving needs none of, cannot be saved of a graph without variables.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(servable, directory, signatures=signatures, options=options)


def _constant(predict: Predictor, store_size: int) -> Predictor:
    """The same with its weights as constants of the graph.

    TensorFlow then folds batch-norm into convolutions when a servable is loaded: MobileNetV2
    answers in about half the time.
    """
    pixels = tf.TensorSpec([None, store_size, store_size, 3], tf.uint8)
    traced = tf.function(predict).get_concrete_function(pixels)
    frozen = convert_variables_to_constants_v2(traced)
    names = sorted(traced.structured_outputs)  # as TensorFlow orders a dict's values
    return lambda pixels: dict(zip(names, frozen(pixels), strict=True))
