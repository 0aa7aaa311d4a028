"""The request a server sends to itself while it loads the model."""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from components.servable_check.logic import synthetic_picture
from schema import features


def write_warm_up(path: str) -> None:
    """Write one PredictionLog to the TFRecord `path`, its folder included.

    Without it the first caller of a fresh server waits for TensorFlow's set-up. The picture is
    synthetic: the published folder leaves the machine, so no photograph may be in it.
    """
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(
            name=features.MODEL_NAME, signature_name=features.SIGNATURE_DEFAULT
        ),
        inputs={features.INPUT_IMAGE_BYTES: tf.make_tensor_proto([synthetic_picture()])},
    )
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(log.SerializeToString())
