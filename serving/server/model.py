"""One loaded version: a TensorFlow session, as in TF Serving, and its signatures."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.saved_model.loader_impl import SavedModelLoader
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.server.errors import ServingError, invalid, of_number

Outputs = dict[str, npt.NDArray[Any]]  # by name; a row per picture

DEFAULT_SIGNATURE = "serving_default"
PREDICT = "tensorflow/serving/predict"
_WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")
_MAX_WARM_UP = 1000  # records, as TF Serving
_HEADING = re.compile(r"$|Graph execution error|Detected at node|<stack traces|\d+ root error")
_NODES = re.compile(r"\{\{function_node [^}]*\}\}|\[\[\{\{node .*?\]\]|\[Op:[^]]*\]")


class Model:
    """A version in memory; `run` may be called by several threads at once.

    A session, and not tf.saved_model.load: it loads in a third of the time, starts a run sooner,
    and closing it gives its memory back.
    """

    def __init__(self, folder: Path, version: int) -> None:
        """Loads a SavedModel.

        Raises:
          ServingError: when it does not load, or has no signature that takes strings.
        """
        self.version = version
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        try:
            with graph.as_default():
                loader = SavedModelLoader(str(folder))
                meta_graph = loader.load(self._session, ["serve"])
        except Exception as error:
            self._session.close()
            raise _plain(error) from error
        self.signatures = dict(meta_graph.signature_def)
        self._calls = {
            name: self._callable(signature)
            for name, signature in self.signatures.items()
            if signature.method_name == PREDICT and _takes_strings(signature)
        }
        if DEFAULT_SIGNATURE not in self._calls:
            self._session.close()
            raise invalid(f"{DEFAULT_SIGNATURE} is missing, or takes other than strings")

    def input_name(self, signature: str) -> str | None:
        """The name of a signature's input, None where there is no such signature to ask."""
        return next(iter(self.signatures[signature].inputs)) if signature in self._calls else None

    def run(self, signature: str, rows: Sequence[bytes]) -> Outputs:
        """Answers.

        Args:
          signature: one that `input_name` knows.
          rows: what it takes, one string each, n of them.

        Returns:
          Arrays [n, ...] by name.

        Raises:
          ServingError: when TensorFlow refuses one of the rows.
        """
        names, call = self._calls[signature]
        try:
            found = call(np.array(rows, dtype=object))
        except tf.errors.OpError as error:
            raise _plain(error) from error
        if any(values.shape[:1] != (len(rows),) for values in found):
            raise ServingError(grpc.StatusCode.INTERNAL, f"{signature} does not answer row by row")
        return dict(zip(names, found, strict=True))

    def warm_up(self, folder: Path, batch: int) -> None:
        """Asks what its warm-up requests ask, as they are and as a batch of that many rows.

        Raises:
          ServingError: when one of them is refused.
        """
        path = folder / _WARM_UP
        if not path.is_file():
            return
        try:
            records = list(
                tf.data.TFRecordDataset(str(path)).take(_MAX_WARM_UP).as_numpy_iterator()
            )
            requests = [PredictionLog.FromString(one).predict_log.request for one in records]
        except Exception as error:
            raise _plain(error) from error
        for request in requests:
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            takes = self.input_name(name)
            if takes is None or takes not in request.inputs:
                raise invalid(f"a warm-up request does not fit signature {name!r}")
            rows = list(request.inputs[takes].string_val)
            self.run(name, rows)
            self.run(name, (rows * batch)[:batch])

    def close(self) -> None:
        """Gives its memory back."""
        self._calls = {}
        self._session.close()

    def _callable(self, signature: Any) -> tuple[list[str], Any]:
        names = sorted(signature.outputs)
        (takes,) = signature.inputs.values()
        fetched = [signature.outputs[name].name for name in names]
        return names, self._session.make_callable(fetched, [takes.name])


def _takes_strings(signature: Any) -> bool:
    inputs = list(signature.inputs.values())
    return len(inputs) == 1 and inputs[0].dtype == tf.string.as_datatype_enum


def _plain(error: Exception) -> ServingError:
    """The same in one line, without TensorFlow's names of nodes."""
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = [" ".join(line.split()) for line in _NODES.sub("", text).splitlines()]
    said = next((one for one in lines if not _HEADING.match(one)), type(error).__name__)
    return of_number(error.error_code if isinstance(error, tf.errors.OpError) else 3, said[:500])
