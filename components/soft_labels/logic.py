"""What a teacher answers to the pictures of a file, written beside their labels."""

from functools import partial

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schema import features
from trainer import dataset, predictors
from trainer.export import AGE_PROBABILITIES


def answered(
    source: str, target: str, teacher: keras.Model, store_size: int, batch_size: int
) -> None:
    """Copies a file of transformed examples with what a teacher answers to each.

    A picture is asked about together with its mirror image: of noisy answers the mean is better.

    Args:
      source: gzipped TFRecords that Transform wrote.
      target: where to.
      teacher: from pixels to logits; answers both questions.
      store_size: side of the stored pictures, pixels.
      batch_size: how many pictures it is asked about at once.
    """
    ask = tf.function(partial(predictors.raw, teacher, mirror=True), reduce_retracing=True)
    pictures = dataset.plain_batches(dataset.load([source], store_size), batch_size)
    records = dataset.read([source]).batch(batch_size)
    with tf.io.TFRecordWriter(target, "GZIP") as writer:
        for (pixels, _), serialized in tf.data.Dataset.zip(pictures, records):
            answers = ask(pixels)
            years = answers.get(AGE_PROBABILITIES, answers[features.AGE][:, None])
            gender = answers[features.GENDER]
            told = zip(serialized.numpy(), years.numpy(), gender.numpy(), strict=True)
            for one, age, female in told:
                writer.write(_with(one, age, female))


def _with(serialized: bytes, age: npt.NDArray[np.float32], female: np.float32) -> bytes:
    example = tf.train.Example.FromString(serialized)
    for name, values in ((features.TEACHER_AGE, age), (features.TEACHER_GENDER, [female])):
        example.features.feature[name].float_list.value.extend(float(one) for one in values)
    return bytes(example.SerializeToString())
